"""Gauss-Hermite series of LOSVD histograms."""
