"""The dispersion that errors hide."""

from __future__ import annotations

import numpy as np

from veldist._support.arrays import Floats

__all__ = ["unresolved"]

# Stars that count as few: what they say of a scale depends on where they happen to lie.
_PRECISE = 3
# Keeps stars of no Gaussian from dividing by zero.
_TINY = 1e-300


def unresolved(e2: Floats, responsibility: Floats) -> Floats:
    r"""Variance that stars with these squared errors cannot tell from zero.

    The Cramer-Rao bound of the variance at zero, :math:`\sqrt{2 / \sum_i r_i e_i^{-4}}`, without the three
    stars that say most. It keeps a Gaussian from collapsing onto one star that is far more precise than all
    others.

    Parameters
    ----------
    e2 : ndarray, (n_stars,)
    responsibility : ndarray, (..., n_stars)
        Share of every star that counts.
    """
    # Referred to the smallest error, whose fourth power could underflow.
    least = float(e2.min())
    information = responsibility * (least / e2) ** 2
    total = information.sum(axis=-1)
    if e2.size > _PRECISE:
        total = np.partition(information, -_PRECISE, axis=-1)[..., :-_PRECISE].sum(axis=-1)
    return np.sqrt(2.0 / np.maximum(total, _TINY)) * least
