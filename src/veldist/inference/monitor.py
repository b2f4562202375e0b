"""Which quantities decide whether the chains have run for long enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from veldist._support.arrays import Floats
from veldist.inference.blocks import Blocks

__all__ = ["Monitor"]


@dataclass(frozen=True)
class Monitor:
    """Functionals of the cell masses whose effective sample size and R-hat must be good.

    Attributes
    ----------
    functionals : ndarray, (K, Q)
        Linear functionals of the cell masses.
    names : tuple of str
        Their Q names.
    totals : ndarray, (K, Q), or None
        Linear functionals to divide them by: with ones in the cells of a block, those are the means over that
        block alone. None for masses that sum to 1 anyway.
    """

    functionals: Floats
    names: tuple[str, ...]
    totals: Floats | None = None

    def __post_init__(self) -> None:
        if len(self.names) != self.functionals.shape[1]:
            raise ValueError(f"{len(self.names)} names for {self.functionals.shape[1]} functionals.")
        if self.totals is not None and self.totals.shape != self.functionals.shape:
            raise ValueError(
                f"totals: shape {self.totals.shape} for functionals of {self.functionals.shape}."
            )

    @classmethod
    def of_blocks(
        cls, blocks: Blocks, monitors: Sequence[Monitor | None], shares: Sequence[str | None]
    ) -> Monitor:
        """Functionals of each block renormalised, and shares of blocks in the whole.

        Parameters
        ----------
        blocks : Blocks
            The cells of all blocks.
        monitors : sequence of Monitor or None
            What to monitor of each block, in terms of its cells alone; None for nothing.
        shares : sequence of str or None
            Name of each block's share; None for one that is not monitored.
        """
        parts = []
        for cells, monitor, share in zip(blocks.cells, monitors, shares, strict=True):
            inside = np.zeros((blocks.log_base.size, 1))
            inside[cells] = 1.0
            if monitor is not None:
                shape = (inside.size, len(monitor.names))
                functionals, totals = np.zeros(shape), np.zeros(shape)
                functionals[cells] = monitor.functionals
                totals[cells] = 1.0 if monitor.totals is None else monitor.totals
                parts.append(cls(functionals, monitor.names, totals))
            if share is not None:
                parts.append(cls(inside, (share,), np.ones_like(inside)))
        return cls(
            np.concatenate([part.functionals for part in parts], axis=1),
            tuple(name for part in parts for name in part.names),
            np.concatenate([part.totals for part in parts if part.totals is not None], axis=1),
        )

    def __call__(self, masses: Floats) -> Floats:
        """The quantities given cell masses (n, K): (n, Q)."""
        values = masses @ self.functionals
        return values if self.totals is None else values / (masses @ self.totals)
