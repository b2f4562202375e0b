"""What the posterior draws mean."""
