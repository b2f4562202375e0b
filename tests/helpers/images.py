"""Comparison of a figure with the picture of it that was approved by eye.

Text is taken out first: fonts differ between machines, and what is written has tests of its own. Positions of
the axes are those of the plain subplot grid, since layout engines make room for the text.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.testing.compare import compare_images
from matplotlib.text import Text
from matplotlib.ticker import NullFormatter

BASELINES = Path(__file__).parents[1] / "baseline"
REWRITE = "VELDIST_WRITE_BASELINES"
TOLERANCE = 2.0
"""Root-mean-square difference of the pixels, of 255, that is accepted: that of anti-aliasing on different
processors is below 1, of a band of another colour or width above 4."""

_LONGEST_SIDE, _DPI = 5.0, 60


pixel_edges = pytest.mark.skipif(
    mpl.__version_info__ < (3, 11), reason="matplotlib before 3.11 puts some edges of pixels one dot aside"
)
"""For pictures with the steps of pixels: the baselines are those of matplotlib 3.11."""


def assert_looks_like(figure: Figure, name: str, tolerance: float = TOLERANCE) -> None:
    """Fail unless the figure, without its text, looks like ``tests/baseline/NAME.png``.

    Parameters
    ----------
    figure : Figure
        The figure; it is changed (text removed, size reduced).
    name : str
        Name of the baseline, without suffix.
    tolerance : float
        Root-mean-square difference accepted, of 255.

    Notes
    -----
    With the environment variable ``VELDIST_WRITE_BASELINES=1`` the baseline is written instead: look at it
    before it is committed.
    """
    remove_text(figure)
    width, height = figure.get_size_inches()
    scale = min(1.0, _LONGEST_SIDE / max(width, height))
    figure.set_size_inches(scale * width, scale * height)
    baseline = BASELINES / f"{name}.png"
    if os.environ.get(REWRITE) == "1":
        BASELINES.mkdir(exist_ok=True)
        _save(figure, baseline)
        return
    if not baseline.exists():
        raise AssertionError(f"no {baseline}: run once with {REWRITE}=1, and look at what it writes.")
    folder = Path(tempfile.mkdtemp(prefix="veldist-images-"))
    actual = folder / f"{name}.png"
    _save(figure, actual)
    difference = compare_images(str(baseline), str(actual), tolerance)
    if difference is not None:
        raise AssertionError(f"the figure does not look like {baseline.name} any more:\n{difference}")
    shutil.rmtree(folder)


def remove_text(figure: Figure) -> None:
    """Take out titles, labels, tick labels, legends and any other text, and the layout that depends on it."""
    figure.set_layout_engine("none")
    # Lists, since removal changes what is iterated over.
    for legend in list(figure.findobj(Legend)):
        legend.remove()
    for axis in figure.findobj(Axis):
        axis.set_major_formatter(NullFormatter())
        axis.set_minor_formatter(NullFormatter())
        axis.offsetText.set_visible(False)
    for text in figure.findobj(Text):
        text.set_visible(False)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=_DPI, facecolor="white", bbox_inches=None, metadata={"Software": None})
