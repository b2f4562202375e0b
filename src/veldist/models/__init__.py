"""Velocity distributions: from stars to a design matrix, a basis and a prior."""
