"""What was learnt of the members while the contaminant was."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Member"]


@dataclass(frozen=True)
class Member:
    """The members as one Gaussian beside the contaminant.

    Attributes
    ----------
    v, sigma : float
        Their mean velocity and their dispersion without the errors, km/s.
    share : float
        Their share of all stars.
    n_stars : int
        Number of all stars.
    v_err : float
        Uncertainty of ``v`` (km/s, 1 sigma), were it a Gaussian beside a known contaminant.
    log_odds : float
        Natural logarithm of the odds of these populations against a single Gaussian, from the Bayesian
        information criterion. Below 3 or so, little is known.
    """

    v: float
    sigma: float
    share: float
    n_stars: int
    v_err: float
    log_odds: float

    def __str__(self) -> str:
        """Return the sentence that a user reads."""
        return (
            f"members at {self.v:.1f} km/s, dispersion {self.sigma:.1f}, "
            f"{100.0 * self.share:.0f} % of {self.n_stars:,} stars"
        )
