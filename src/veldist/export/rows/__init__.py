"""What exporters write of every solved bin."""
