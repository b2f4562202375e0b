"""Figures: they draw arrays and compute nothing."""
