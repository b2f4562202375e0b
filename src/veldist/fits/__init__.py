"""One fit: its stars, its velocity grid, its posterior, and the file that keeps it."""
