"""A velocity grid that suits all spatial bins of a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from veldist._support import validate
from veldist.fits.stars import read_stars
from veldist.models.losvd.frame import robust_frame

__all__ = ["suggest_grid"]

# Where the outermost bins of every LOSVD are as good as empty: orbit codes give them no mass.
_REACH = 5.0
# Two bins to a dispersion resolve a LOSVD that is smooth on that scale, three leave room for structure.
_BINS_PER_SIGMA = 3.0
_MIN_BINS, _MAX_BINS = 21, 151


def suggest_grid(bin_data_list: Sequence[dict[str, Any]], min_stars: int = 10) -> dict[str, Any]:
    """Velocity grid that covers the LOSVDs of all bins, with about three bins to the typical dispersion.

    The grid decides how the LOSVD is reported, not what it is. It reaches five dispersions beyond every
    bin's median velocity, on both sides of a common centre. Medians and dispersions are robust: a foreground
    star does not stretch the grid (and is then told to lie outside it).

    Parameters
    ----------
    bin_data_list : sequence of dict
        ``{"vel": ..., "err": ...}`` per bin, km/s, as for `veldist.fit_all_bins`.
    min_stars : int
        Bins with fewer stars are left out.

    Returns
    -------
    dict
        ``center``, ``width`` (km/s) and ``n_bins`` (odd), as `KinematicSolver.setup_grid` takes them.

    Raises
    ------
    ValueError
        If no bin has enough stars.
    """
    frames, sizes = [], []
    for k, data in enumerate(bin_data_list):
        validate.check_keys(data, ("vel", "err"), f"bin_data_list[{k}]")
        if np.size(data["vel"]) < min_stars:
            continue
        vel, err = read_stars(data["vel"], data["err"])
        frames.append(robust_frame(vel, err))
        sizes.append(vel.size)
    if not frames:
        raise ValueError(f"no bin has min_stars = {min_stars} stars: lower min_stars or use larger bins.")
    location = np.array([f.location for f in frames])
    scale = np.array([f.scale for f in frames])
    center = float(np.round(np.average(location, weights=sizes)))
    half_width = float(np.max(np.abs(location - center) + _REACH * scale))
    # Two digits: the width of a bin is read on axes and written into files.
    step = float(f"{np.median(scale) / _BINS_PER_SIGMA:.1e}")
    n_bins = int(np.clip(2 * int(np.ceil(half_width / step - 0.5)) + 1, _MIN_BINS, _MAX_BINS))
    step = max(step, float(f"{2.0 * half_width / n_bins:.3g}"))
    return {"center": center, "width": step * n_bins, "n_bins": n_bins}
