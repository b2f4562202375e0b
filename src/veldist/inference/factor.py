r"""Components of the prior that differ in one coefficient only are sampled as one.

A prior that is a product of a mixture over one coefficient and a mixture over all others has as many
components as the product of the two. With its factor for the one coefficient kept whole,

.. math:: \beta_j \sim \sum_k \pi_k N(m_k, s_k^2) = N(m, s^2)\, e^{c(x_j)}, \qquad \beta_j = m + s x_j ,

m and s^2 being the mixture's mean and variance, only the other mixture's components are left: modes,
proposals and moves are needed for these alone. To which of the k a draw belongs is independent of the data
given its :math:`\beta_j`, and is drawn at last, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Array, Floats
from veldist.inference.prior import MixturePrior

__all__ = ["Factor", "Folded", "fold"]

# A factor with terms narrower than this, in units of the whole, is rough: where a posterior is as wide as
# they are, one Gaussian approximates it badly, and one for every term better.
_SMOOTH = 0.25


@dataclass(frozen=True)
class Factor:
    """A mixture of Gaussians for one coefficient, relative to the standard normal of its x.

    Attributes
    ----------
    column : int
        Which coefficient.
    center, precision : ndarray, (k,)
        Means and inverse variances in terms of x.
    log_share : ndarray, (k,)
        Logs of the weights, which sum to 1.
    """

    column: int
    center: Floats
    precision: Floats
    log_share: Floats

    def log_ratio(self, x: Array) -> tuple[Array, Array]:
        """The log ratio c(x) of the mixture to the standard normal, and its slope, (n,) each."""
        value, share, slope = self._terms(x)
        return value, x.__array_namespace__().sum(share * slope, axis=0)

    def information(self, x: Array) -> tuple[Array, Array]:
        """Negative second derivatives of the log of the mixture, (n,): exact, and one that is positive.

        The latter is the mean of those of the terms.
        """
        xp = x.__array_namespace__()
        _, share, slope = self._terms(x)
        least = xp.sum(share * self._column(self.precision, x), axis=0)
        return least - xp.sum(share * slope * slope, axis=0) + xp.sum(share * slope, axis=0) ** 2, least

    def shares(self, x: Array) -> Array:
        """Probabilities of the terms given x, (k, n)."""
        return self._terms(x)[1]

    def _terms(self, x: Array) -> tuple[Array, Array, Array]:
        """c(x), (n,), the probabilities of the terms given x, and the slopes of the logs of their ratios."""
        xp = x.__array_namespace__()
        pull = self.precision * self.center
        constant = self.log_share + 0.5 * np.log(self.precision) - 0.5 * pull * self.center
        bend = self._column(1.0 - self.precision, x) * x[None, :]
        terms = self._column(constant, x) + (self._column(pull, x) + 0.5 * bend) * x[None, :]
        highest = xp.max(terms, axis=0)
        share = xp.exp(terms - highest[None, :])
        total = xp.sum(share, axis=0)
        return highest + xp.log(total), share / total[None, :], self._column(pull, x) + bend

    def _column(self, values: Floats, x: Array) -> Array:
        return x.__array_namespace__().asarray(values[:, None], dtype=x.dtype)


@dataclass(frozen=True)
class Folded:
    """A prior whose components stand for several each.

    Attributes
    ----------
    prior : MixturePrior
        The components that are left, with mean and scale of the whole factor in its column.
    factor : Factor or None
        What the mixture of the column has beyond that; None where nothing could be folded.
    members : ndarray of int, (F, k)
        The components of the whole prior that each stands for, in the order of the factor's terms.
    """

    prior: MixturePrior
    factor: Factor | None
    members: NDArray[np.intp]

    def unfold(
        self, component: NDArray[np.intp], coefficients: NDArray[np.floating], rng: np.random.Generator
    ) -> NDArray[np.intp]:
        """Components of the whole prior, (...), of draws in the components that are left.

        Parameters
        ----------
        component : ndarray of int, (...)
            The components that are left.
        coefficients : ndarray, (..., p)
            The draws.
        rng : numpy.random.Generator
            Source of randomness.
        """
        if self.factor is None:
            return component
        column = self.factor.column
        x = (coefficients[..., column] - self.prior.mean[0, column]) / self.prior.scales[0, column]
        below = np.cumsum(self.factor.shares(x.ravel()), axis=0)[:-1]
        term = np.count_nonzero(below < rng.random(x.size), axis=0)
        return self.members[component, term.reshape(component.shape)]

    def owner(self) -> NDArray[np.intp]:
        """Which component that is left stands for each of the whole prior, (G,)."""
        owner = np.empty(self.members.size, dtype=np.intp)
        owner[self.members] = np.arange(self.members.shape[0])[:, None]
        return owner


def fold(prior: MixturePrior) -> Folded:
    """Find the factor of a prior, if it has one; else the prior as it is."""
    alone = Folded(prior, None, np.arange(prior.n_components)[:, None])
    columns = np.flatnonzero(np.ptp(prior.mean, axis=0) > 0.0)
    if columns.size != 1:
        return alone
    (column,) = columns.tolist()
    others = np.arange(prior.mean.shape[1]) != column
    families: dict[tuple[bytes, bool], list[int]] = {}
    for g in range(prior.n_components):
        families.setdefault((prior.scales[g, others].tobytes(), bool(prior.is_null[g])), []).append(g)
    if len({len(family) for family in families.values()}) != 1:
        return alone
    members = np.array(list(families.values()))
    mean, scale = prior.mean[members, column], prior.scales[members, column]
    log_weight = prior.log_weights[members]
    total = np.logaddexp.reduce(log_weight, axis=1)
    share = log_weight - total[:, None]
    same = all(np.allclose(a, a[:1], rtol=1e-9, atol=1e-12) for a in (mean, scale, share))
    if not same or members.shape[1] == 1:
        return alone
    weight = np.exp(share[0])
    m = float(weight @ mean[0])
    s = float(np.sqrt(weight @ (scale[0] ** 2 + (mean[0] - m) ** 2)))
    if scale.min() < _SMOOTH * s:
        return alone
    first = members[:, 0]
    means, scales = prior.mean[first], prior.scales[first]
    means[:, column], scales[:, column] = m, s
    return Folded(
        prior=replace(
            prior,
            mean=means,
            scales=scales,
            log_weights=total,
            labels=tuple(prior.labels[g] for g in first),
            is_null=prior.is_null[first],
        ),
        factor=Factor(
            column=column,
            center=(mean[0] - m) / s,
            precision=(s / scale[0]) ** 2,
            log_share=share[0],
        ),
        members=members,
    )
