"""The comparison of pictures: it sees what matters and nothing else."""

from __future__ import annotations

import matplotlib as mpl
import pytest

mpl.use("Agg")

from tests.helpers import images
from tests.helpers.images import assert_looks_like
from tests.helpers.solvers import EDGES, gaussian_solver
from veldist.plotting import plot_losvd


def figure(title="", scale=1.0, **options):
    solver = gaussian_solver(spread=scale)
    ax = plot_losvd(
        EDGES, solver.samples["intrinsic_pdf"], vel=solver.vel, err=solver.err, gaussian=True, **options
    )
    ax.set_title(title)
    return ax.figure


@pytest.fixture
def baselines(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "BASELINES", tmp_path)
    monkeypatch.setenv(images.REWRITE, "1")
    assert_looks_like(figure(), "this")
    monkeypatch.delenv(images.REWRITE)
    # What failed comparisons leave behind.
    monkeypatch.setattr(images.tempfile, "tempdir", str(tmp_path))


def test_text_does_not_matter(baselines):
    assert_looks_like(figure(title="Another one", label="other", legend=False), "this")


@pytest.mark.parametrize(
    "change", [{"color": "#D55E00"}, {"scale": 1.25}, {"stars": None}, {"stars": "histogram"}]
)
def test_another_colour_band_or_layer_fails(baselines, change):
    with pytest.raises(AssertionError, match=r"does not look like this\.png"):
        assert_looks_like(figure(**change), "this")


def test_a_missing_baseline_fails(baselines):
    with pytest.raises(AssertionError, match="VELDIST_WRITE_BASELINES=1"):
        assert_looks_like(figure(), "that")
