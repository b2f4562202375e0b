"""Many spatial bins: tasks, the store that keeps them, and the map as one dataset."""
