r"""The cells that share a softmax: one population's, or those of several beside each other.

.. math:: w = \mathrm{softmax}(\Psi \beta + \log d), \qquad p(y_i) = \sum_j M_{ij} w_j

A population is a block of cells with columns of M, a basis and coefficients of its own. Side by side, the
blocks' bases stand along the diagonal of :math:`\Psi`, and every block but the first has one more coefficient
:math:`\lambda`, added to the logits of all its cells: it says how much there is of the population. One whose
density is known is a block of one cell without other coefficients (`Blocks.fixed`). If its *share* is known
too, it needs no block at all: since the masses sum to 1, its part of a row's density is added to all columns
of that row (see `Likelihood.from_design`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from veldist._support.arrays import Floats
from veldist.inference.prior import MixturePrior

__all__ = ["Blocks"]


@dataclass(frozen=True)
class Blocks:
    """Cells of one softmax, their basis, and the prior of its coefficients.

    Attributes
    ----------
    psi : ndarray, (K, p)
        Basis of the log-density.
    log_base : ndarray, (K,)
        Log of the base masses (cell widths or areas).
    prior : MixturePrior
        Prior of the p coefficients.
    sizes : tuple of int
        Number of cells of each block, in the order of the cells; a single block by default.
    """

    psi: Floats
    log_base: Floats
    prior: MixturePrior
    sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.sizes:
            object.__setattr__(self, "sizes", (self.log_base.size,))
        expected = (sum(self.sizes), self.prior.mean.shape[1])
        if self.psi.shape != expected or self.log_base.size != expected[0]:
            raise ValueError(
                f"psi of shape {self.psi.shape} and log_base of {self.log_base.size} cells must fit sizes = "
                f"{self.sizes} and the prior's {expected[1]} coefficients: {expected}."
            )

    @classmethod
    def fixed(cls, log_base: Floats) -> Blocks:
        """Cells (K,) whose masses have constant ratios: a population of known density."""
        nothing = np.zeros((1, 0))
        prior = MixturePrior(nothing, nothing, np.zeros(1), ("fixed",), np.array([True]))
        return cls(np.zeros((log_base.size, 0)), log_base, prior)

    def beside(self, other: Blocks, log_odds: float, scale: float) -> Blocks:
        r"""These cells and, after them, those of another population.

        The prior is the product of the two, with a component for every pair of their components, times a
        Gaussian for the last coefficient, :math:`\lambda`. Its mean is where the ratio of the other
        population's mass to that of the first block is as expected, if all other coefficients are at the
        means of their component. Elsewhere the ratio changes with the sums of :math:`d\,e^{\Psi\beta}` over
        both populations too, by far more than ``scale`` among prior draws of free shapes.

        If the share itself is to have a prior, whatever the shapes, let ``scale`` be large and give the
        likelihood one row for each population b, with ones in its cells, zeros elsewhere, and the weight
        :math:`\alpha_b`: the shares then have the Dirichlet distribution with these parameters.

        Parameters
        ----------
        other : Blocks
            The other population.
        log_odds, scale : float
            Log of the ratio of masses that is expected, and the standard deviation of :math:`\lambda`, which
            zero pins.

        Returns
        -------
        Blocks
            The null hypothesis of the Bayes factor is that of the first population.
        """
        own, its = self.prior, other.prior
        first = np.logaddexp.reduce((own.mean @ self.psi.T + self.log_base)[:, self.cells[0]], axis=1)
        total = np.logaddexp.reduce(its.mean @ other.psi.T + other.log_base, axis=1)
        a, b = (index.ravel() for index in np.indices((own.n_components, its.n_components)))
        amount = (log_odds + first[a] - total[b])[:, None]
        prior = MixturePrior(
            mean=np.concatenate([own.mean[a], its.mean[b], amount], axis=1),
            scales=np.concatenate([own.scales[a], its.scales[b], np.full_like(amount, scale)], axis=1),
            log_weights=own.log_weights[a] + its.log_weights[b],
            labels=tuple(_pair(own.labels[k], its.labels[m], its) for k, m in zip(a, b, strict=True)),
            is_null=own.is_null[a],
        )
        psi = np.zeros((self.log_base.size + other.log_base.size, prior.mean.shape[1]))
        (n_cells, n_basis), here = self.psi.shape, slice(self.log_base.size, None)
        psi[:n_cells, :n_basis], psi[here, n_basis:-1], psi[here, -1] = self.psi, other.psi, 1.0
        log_base = np.concatenate([self.log_base, other.log_base])
        return Blocks(psi, log_base, prior, self.sizes + other.sizes)

    @property
    def cells(self) -> tuple[slice, ...]:
        """Where each block's cells are among all."""
        return tuple(slice(end - n, end) for n, end in zip(self.sizes, accumulate(self.sizes), strict=True))

    @property
    def log_center(self) -> Floats:
        """Log masses of the cells, up to a constant, at the prior's centre, (K,)."""
        return self.psi @ self.prior.center + self.log_base


def _pair(own: str, other: str, prior: MixturePrior) -> str:
    """Label of a pair of components: the other's only where there are several."""
    return own if prior.n_components == 1 else f"{own}; {other}"
