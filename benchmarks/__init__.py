"""What the documentation's figures were measured with: ``python -m benchmarks NAME``."""
