"""Where the small-deviation formulas of h3 and h4 stop to agree with the fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from veldist.analysis import GaussHermite, gauss_hermite, moments_to_gauss_hermite
from veldist.simulate import LOSVD, SkewNormal, StudentT

# Wide enough for every moment of a series; for the fits of other shapes, in dispersions.
_EDGES = np.linspace(-12.0, 12.0, 481)
_ALPHA = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0])
_NU = np.array([100.0, 50.0, 30.0, 20.0, 15.0, 12.0, 10.0, 8.0, 7.0, 6.0, 5.0])
_LABELLED = (1.0, 2.0, 4.0, 5.0, 6.0, 8.0)


def main(out_dir: str | Path) -> None:
    """Write ``gauss_hermite_moments.png`` and print the table of ``docs/gauss_hermite.md``."""
    h = np.linspace(0.0, 0.2, 81)
    skewness = np.array([_series_moments(value, 0.0)[0] for value in h])
    kurtosis = np.array([_series_moments(0.0, value)[1] for value in h])
    skewed = [SkewNormal(0.0, 1.0, alpha=alpha) for alpha in _ALPHA]
    winged = [StudentT(0.0, 1.0, nu=nu) for nu in _NU]
    figure, axes = plt.subplots(2, 2, figsize=(7.4, 6.2), layout="constrained")
    _panel(axes[0, 0], skewness, h, "series with $h_3$ only", "skewness", 0)
    _panel(axes[0, 1], kurtosis, h, "series with $h_4$ only", "excess kurtosis", 1)
    _panel(axes[1, 0], *_fitted(skewed, 0), "skew-normal", "skewness", 0, _ALPHA, r"\alpha")
    _panel(axes[1, 1], *_fitted(winged, 1), "Student t", "excess kurtosis", 1, _NU, r"\nu")
    axes[0, 0].legend(frameon=False)
    figure.savefig(Path(out_dir) / "gauss_hermite_moments.png", dpi=160)
    plt.close(figure)
    _print_table("series, h3", h[[8, 20, 40, 60]], skewness[[8, 20, 40, 60]], h[[8, 20, 40, 60]], 0)
    _print_table("series, h4", h[[4, 8, 20, 40]], kurtosis[[4, 8, 20, 40]], h[[4, 8, 20, 40]], 1)
    _print_table("skew-normal, alpha", _ALPHA, *_fitted(skewed, 0), 0)
    _print_table("Student t, nu", _NU, *_fitted(winged, 1), 1)


def _series_moments(h3: float, h4: float) -> tuple[float, float]:
    """Skewness and excess kurtosis of a series: masses of 0.05 sigma, of which bin widths move nothing."""
    one = np.ones(1)
    series = GaussHermite(one, 0.0 * one, one, np.array([[h3, h4]]), one > 0)
    masses = series.bin_masses(_EDGES)[0]
    x = 0.5 * (_EDGES[1:] + _EDGES[:-1])
    x = x - masses @ x / masses.sum()
    moment = [masses @ x**k / masses.sum() for k in (2, 3, 4)]
    return float(moment[1] / moment[0] ** 1.5), float(moment[2] / moment[0] ** 2 - 3.0)


def _fitted(losvds: Sequence[LOSVD], which: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Skewness (or excess kurtosis) and the fitted h3 (h4)."""
    masses = np.array([losvd.bin_masses(_EDGES, conditional=True) for losvd in losvds])
    moments = [losvd.kurtosis if which else losvd.skewness for losvd in losvds]
    return np.array(moments), gauss_hermite(masses, _EDGES, order=4).h[:, which]


def _panel(
    ax: Axes,
    moment: NDArray[np.float64],
    fitted: NDArray[np.float64],
    title: str,
    label: str,
    which: int,
    values: NDArray[np.float64] | None = None,
    symbol: str = "",
) -> None:
    reach = np.array([0.0, 1.15 * moment.max()])
    ax.plot(reach, moments_to_gauss_hermite(reach, reach)[which], color="C7", ls="--", label="formula")
    ax.plot(moment, fitted, color="C0", marker="" if values is None else "o", ms=4, label="fit")
    for value, x, y in [] if values is None else zip(values, moment, fitted, strict=True):
        if value in _LABELLED:
            ax.annotate(f"${symbol}={value:g}$", (x, y), (4, -10), textcoords="offset points", fontsize=7)
    ax.set(title=title, xlabel=label, ylabel=f"$h_{3 + which}$", xlim=(0.0, reach[1]), ylim=(0.0, None))


def _print_table(
    title: str,
    values: NDArray[np.float64],
    moment: NDArray[np.float64],
    fitted: NDArray[np.float64],
    which: int,
) -> None:
    for value, m, h in zip(values, moment, fitted, strict=True):
        formula = moments_to_gauss_hermite(m, m)[which]
        print(f"| {title} = {value:g} | {m:.3f} | {formula:.3f} | {h:.3f} | {formula / h:.2f} |")


if __name__ == "__main__":
    main(Path(__file__).parents[1] / "figures")
