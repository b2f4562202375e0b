"""How the posterior is sampled."""

from __future__ import annotations

from dataclasses import dataclass

from veldist._support.counts import check_count, check_number

__all__ = ["Settings"]

# Every integer's smallest value, and the largest of those that would let a fit run for ever.
_LEAST = {
    "n_draws": 1,
    "n_chains": 1,
    "n_groups": 2,
    "n_proposals": 1,
    "n_warmup": 0,
    "n_steps": 1,
    "thin": 1,
    "max_doublings": 0,
    "merge_above": 0,
}
_LARGEST = 100.0
_MOST = {"max_doublings": 20, "n_steps": 10_001, "thin": 10_000, "n_warmup": 100_000}


@dataclass(frozen=True)
class Settings:
    """How the posterior is sampled. The defaults are right for nearly all data.

    Attributes
    ----------
    n_draws : int
        Draws wanted at least.
    n_chains : int
        Chains, all moved at once.
    n_groups : int
        Independently started groups of chains (for the nested R-hat); must divide their number.
    n_proposals : int
        Importance draws per group, spread over the prior's components; four times as many where they tell
        little.
    n_warmup : int
        Rounds of moves thrown away at first; up to five times as many after a poor start.
    n_steps : int
        Steps of a Hamiltonian move, an odd number; raised if too few moves are accepted.
    thin : int
        Rounds of moves per kept round, at first; doubled until the diagnostics are good.
    max_doublings : int
        How often to double before giving up with a warning.
    rhat_max : float
        Largest nested R-hat to accept, beyond what independent draws of this number have.
    ess_fraction : float
        Smallest effective sample size to accept, as a fraction of the draws.
    merge_above : int
        With more stars than this, those of nearly the same velocity and error are merged.
    merge_tolerance : float
        Bound on what that changes in log-likelihood ratios (see `veldist.models.losvd.merge`), and so on the
        posterior in units of its standard deviation.
    dtype : str
        Floating-point type of the sampler. Modes and the likelihood's reference are in double precision
        always.
    """

    n_draws: int = 1000
    n_chains: int = 512
    n_groups: int = 8
    n_proposals: int = 160
    n_warmup: int = 2
    n_steps: int = 1
    thin: int = 1
    max_doublings: int = 6
    rhat_max: float = 1.03
    ess_fraction: float = 0.25
    merge_above: int = 2000
    merge_tolerance: float = 0.02
    dtype: str = "float32"

    def __post_init__(self) -> None:
        for name, smallest in _LEAST.items():
            check_count(getattr(self, name), name, smallest, _MOST.get(name, 10**9))
        if self.n_chains % self.n_groups or self.n_chains < 4 * self.n_groups:
            raise ValueError(
                f"n_chains = {self.n_chains} must be a multiple of n_groups = {self.n_groups}, at least four "
                "times as many, in at least two groups."
            )
        if self.n_steps % 2 == 0:
            raise ValueError(f"n_steps = {self.n_steps} must be odd: a move changes component in its middle.")
        for name in ("rhat_max", "merge_tolerance"):
            if not 0.0 < check_number(getattr(self, name), name) <= _LARGEST:
                raise ValueError(f"{name} = {getattr(self, name)} must be positive, at most {_LARGEST:g}.")
        if not 0.0 <= check_number(self.ess_fraction, "ess_fraction") <= _LARGEST:
            raise ValueError(f"ess_fraction = {self.ess_fraction} must be between 0 and {_LARGEST:g}.")
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f"dtype = {self.dtype!r} must be 'float32' or 'float64'.")
