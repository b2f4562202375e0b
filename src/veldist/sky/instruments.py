"""Zero points of instruments or epochs, and factors by which their errors are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support import validate
from veldist._support.arrays import Floats, Ints
from veldist._support.stars import read_stars
from veldist.sky.same_star import by_name, by_position, to_labels
from veldist.sky.zero_point_fit import fit_offsets, fit_scales

__all__ = ["ZeroPoints", "zero_points"]

# Fewer stars say nothing of an instrument; with as many in common nothing else is needed.
_FEWEST, _ENOUGH_COMMON = 10, 5
# A factor of the errors less certain than this is not known.
_TOLD = 0.2


@dataclass(frozen=True, eq=False)
class ZeroPoints:
    """Offsets of instruments from a reference, and what their errors should be multiplied by.

    Attributes
    ----------
    names : tuple of str
        Instruments.
    reference : str
        The one whose offset is zero.
    offset, offset_err : ndarray, (n_instruments,)
        Velocities of the same star beyond those of the reference, and their 1-sigma errors, km/s.
    ln_scale, ln_scale_err : ndarray, (n_instruments,)
        Logarithm of the factor by which the errors are too small, and its 1-sigma error. Errors below about
        0.2 need a thousand stars with errors like the dispersion, or a hundred repeat visits.
    n_stars, n_common : ndarray of int, (n_instruments,)
        Stars of the instrument, and those of them that another one has measured too.
    from_common : ndarray of bool, (n_instruments,)
        Whether the offset is that of the stars in common alone.
    """

    names: tuple[str, ...]
    reference: str
    offset: Floats
    offset_err: Floats
    ln_scale: Floats
    ln_scale_err: Floats
    n_stars: Ints
    n_common: Ints
    from_common: NDArray[np.bool_]

    @property
    def scale_told(self) -> NDArray[np.bool_]:
        """Whether the factor of the errors is known to 20 %, (n_instruments,)."""
        return self.ln_scale_err < _TOLD

    def __str__(self) -> str:
        lines = []
        for k, name in enumerate(self.names):
            text = f"{name}: {self.n_stars[k]} stars"
            if name == self.reference:
                text += ", the reference"
            else:
                source = "the difference of the means"
                if self.from_common[k]:
                    source = f"{self.n_common[k]} stars in common"
                text += f", offset {self.offset[k]:+.2f} +- {self.offset_err[k]:.2f} km/s from {source}"
            if self.scale_told[k]:
                steps = np.array([-1.0, 0.0, 1.0]) * self.ln_scale_err[k]
                low, middle, high = np.exp(self.ln_scale[k] + steps)
                text += f"; errors times {middle:.2f} ({low:.2f} to {high:.2f})"
            else:
                text += "; its error scale is not known"
            lines.append(text)
        return "\n".join(lines)

    def apply(
        self, vel: Any, err: Any, instrument: Any, *, scale_errors: bool = False
    ) -> tuple[Floats, Floats]:
        """Velocities on the scale of the reference, and errors.

        Parameters
        ----------
        vel, err, instrument
            As for `zero_points`.
        scale_errors : bool
            Whether to multiply the errors by the factors that are known to 20 %, too.

        Raises
        ------
        TypeError, ValueError
            If these are no velocities with errors, or of an instrument that is not among ``names``.
        """
        vel, err = read_stars(vel, err)
        label = to_labels(instrument, "instrument", vel.size).astype(str)
        unknown = sorted(set(label.tolist()) - set(self.names))
        if unknown:
            raise ValueError(
                f"instrument has {validate.name_first(unknown)}, whose zero point was not measured: there "
                f"are those of {', '.join(self.names)}."
            )
        order = np.argsort(self.names)
        which = order[np.searchsorted(np.array(self.names)[order], label)]
        scale = np.exp(np.where(self.scale_told, self.ln_scale, 0.0)) if scale_errors else np.ones(order.size)
        return vel - self.offset[which], err * scale[which]


def zero_points(
    vel: Any,
    err: Any,
    instrument: Any,
    *,
    id: Any = None,
    x: Any = None,
    y: Any = None,
    tolerance: Any = 0.0,
    reference: Any = None,
) -> ZeroPoints:
    """Offsets of the velocities of several instruments or epochs, and factors of their errors.

    With at least five stars in common, of which names or positions tell, offsets are those of the same stars:
    a few times more precise. Else they are the differences of the samples' means, robust against outliers:
    right if the instruments have measured stars of the same regions, with the same mean velocity there.

    Parameters
    ----------
    vel, err : array_like or Quantity, (n_rows,)
        Velocities and their 1-sigma errors, km/s, one row a measurement.
    instrument : array_like, (n_rows,)
        Name or number of the instrument or epoch of every row.
    id : array_like, (n_rows,), optional
        Names or numbers of the stars.
    x, y : array_like or Quantity, (n_rows,), optional
        Positions, arcsec, which tell the stars if there is no ``id``.
    tolerance : float or Quantity
        Rows at most this far apart are one star, arcsec.
    reference : str, optional
        Instrument with the offset zero; the one with most stars by default.

    Raises
    ------
    TypeError, ValueError
        If values are no numbers, lengths differ, there is one instrument only, one has fewer than 10 stars,
        or the reference is not among them.

    Examples
    --------
    >>> import numpy as np
    >>> from veldist.sky import zero_points
    >>> rng = np.random.default_rng(0)
    >>> star = np.repeat(np.arange(50), 2)
    >>> instrument = np.tile(["old", "new"], 50)
    >>> vel = rng.normal(0.0, 10.0, 50)[star] + rng.normal(0.0, 1.0, 100) + 3.0 * (instrument == "new")
    >>> found = zero_points(vel, 1.0, instrument, id=star, reference="old")
    >>> print(found)
    new: 50 stars, offset +3.18 +- 0.21 km/s from 50 stars in common; its error scale is not known
    old: 50 stars, the reference; its error scale is not known
    """
    vel, err = read_stars(vel, err)
    label = to_labels(instrument, "instrument", vel.size).astype(str)
    names, which = np.unique(label, return_inverse=True)
    if names.size == 1:
        raise ValueError(f"instrument is {names[0]} in all rows: zero points need at least two.")
    star = _find_stars(vel.size, id, x, y, tolerance)
    # Rows that repeat another one are no visits.
    rows = np.unique(np.column_stack([star, which, vel, err]), axis=0, return_index=True)[1]
    vel, err, which, star = vel[rows], err[rows], which[rows], star[rows]
    pairs = np.unique(np.column_stack([star, which]), axis=0)
    n_stars = np.bincount(pairs[:, 1], minlength=names.size)
    few = n_stars < _FEWEST
    if few.any():
        found = ", ".join(f"{name} ({n})" for name, n in zip(names[few], n_stars[few], strict=True))
        raise ValueError(
            f"instrument has names with fewer than {_FEWEST} stars, {found}: their zero points cannot be "
            "told. Leave these rows out, or give them the name of the instrument whose scale they are on."
        )
    if reference is not None and str(reference) not in names:
        raise ValueError(f"reference must be one of {', '.join(names)}, got {reference}.")
    common = np.bincount(pairs[:, 0])[pairs[:, 0]] > 1
    base = int(np.argmax(n_stars)) if reference is None else int(np.flatnonzero(names == str(reference))[0])
    n_common = np.bincount(pairs[common, 1], minlength=names.size)
    offsets = fit_offsets(vel, err, which, star, base, n_common >= _ENOUGH_COMMON)
    scale, scale_err = fit_scales(offsets)
    return ZeroPoints(
        names=tuple(names.tolist()),
        reference=str(names[base]),
        offset=offsets.value,
        offset_err=offsets.error,
        ln_scale=scale,
        ln_scale_err=scale_err,
        n_stars=n_stars,
        n_common=n_common,
        from_common=offsets.from_common,
    )


def _find_stars(n_rows: int, id: Any, x: Any, y: Any, tolerance: Any) -> Ints:
    """The star of every row; every row its own if nothing tells."""
    if id is not None:
        return by_name(to_labels(id, "id", n_rows))
    if x is None and y is None:
        return np.arange(n_rows)
    position = [validate.to_array(value, name, "arcsec") for value, name in ((x, "x"), (y, "y"))]
    for value, name in zip(position, "xy", strict=True):
        if value.size != n_rows:
            raise ValueError(f"{name} has {value.size} values for {n_rows} velocities: pass one for each.")
        validate.check_finite(value, name)
    return by_position(*position, validate.to_float(tolerance, "tolerance", "arcsec"))
