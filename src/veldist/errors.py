"""The exceptions and warnings that users may want to tell apart."""

from __future__ import annotations

__all__ = ["ContaminationWarning", "ConvergenceWarning", "GridWarning", "OrderError", "OutlierWarning"]


class OrderError(ValueError, RuntimeError):
    """A method was called before the one that prepares what it needs."""


class ContaminationWarning(UserWarning):
    """The velocities speak for stars that are no members, or for heavy wings."""


class ConvergenceWarning(UserWarning):
    """The draws of a bin do not meet the convergence criteria."""


class GridWarning(UserWarning):
    """Part of the stars or of the LOSVD lies outside the velocity grid."""


class OutlierWarning(UserWarning):
    """Stars lie so far from the mean velocity that they are probably no members."""
