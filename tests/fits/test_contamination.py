"""What is said where stars that are fitted as members may be others."""

import warnings

import numpy as np
import pytest
from scipy.stats import norm

from veldist import (
    Contaminant,
    ContaminationWarning,
    ErrorModel,
    KinematicSolver,
    OutlierWarning,
    fit_all_bins,
    write_report,
)
from veldist.analysis import summary_table
from veldist.export.dynamite.doubts import star_notes
from veldist.export.rows.cut import cut_of
from veldist.fits.contamination import describe_contamination, describe_stars
from veldist.fits.stars import Stars

GRID = {"center": 0.0, "width": 500.0, "n_bins": 50}
FAR = [150.0, -130.0, 180.0, 160.0, -170.0, 140.0]


def stars(n=120, seed=0):
    rng = np.random.default_rng(seed)
    return np.append(FAR, rng.normal(0.0, 10.0, n)), np.full(n + len(FAR), 2.0)


def solver_of(vel, err, **population):
    solver = KinematicSolver()
    solver.setup_grid(**GRID)
    solver.add_data(vel, err, **population)
    solver.run(num_samples=50)
    return solver


def test_the_text_says_what_who_and_what_to_do():
    text = describe_contamination(*stars())
    assert text is not None
    assert text.startswith("non-members or heavy wings: about 5.4 % of 126 stars")
    assert "rows 2 (180.0)" in text
    assert 'contaminant="learn"' in text or "Not separable" in text
    rng = np.random.default_rng(1)
    many = np.append(rng.normal(0.0, 10.0, 200), rng.normal(80.0, 80.0, 100))
    text = describe_contamination(many, np.full(300, 2.0))
    assert text is not None
    assert 'pass contaminant="learn"' in text
    assert describe_contamination(rng.normal(0.0, 10.0, 200), np.full(200, 2.0)) is None


def test_run_warns_once_and_only_without_a_contaminant():
    vel, err = stars()
    with pytest.warns(ContaminationWarning, match="rows 2") as caught:
        solver_of(vel, err)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", ContaminationWarning)
        warnings.simplefilter("ignore", OutlierWarning)
        solver_of(vel, err, contaminant=Contaminant.gaussian(0.0, 150.0))
        solver_of(vel, err, error_model=ErrorModel.outliers(0.05, 70.0))


@pytest.mark.filterwarnings("ignore::veldist.OutlierWarning")
def test_a_map_is_looked_at_as_a_whole(tmp_path):
    vel, err = stars(180)
    # Two contaminants a bin are none of a bin's own.
    order = np.random.default_rng(2).permutation(vel.size)
    bins = [{"vel": vel[part], "err": err[part]} for part in np.array_split(order, 3)]
    with pytest.warns(ContaminationWarning) as caught:
        solvers = fit_all_bins(bins, GRID, {"num_samples": 50}, n_jobs=1, progress=False)
    said = [str(w.message) for w in caught if w.category is ContaminationWarning]
    assert len(said) == 1
    index, row = next((k, i) for k, part in enumerate(bins) for i in np.flatnonzero(part["vel"] == 180.0))
    assert f"{row} of bin {index} (180.0)" in said[0]
    # An iterator of bins is looked at as well.
    with pytest.warns(ContaminationWarning) as again:
        fit_all_bins(iter(bins), GRID, {"num_samples": 50}, n_jobs=1, progress=False)
    assert [str(w.message) for w in again if w.category is ContaminationWarning] == said
    # What is written says it too.
    assert summary_table(solvers).meta["foreign"] == said[0]
    report = write_report(tmp_path / "report.html", solvers).read_text()
    assert "non-members or heavy wings" in report
    cuts = {k: cut_of(solver.fit) for k, solver in enumerate(solvers)}
    assert star_notes(cuts)["contamination"] == said
    assert star_notes(cuts, ["already known"])["contamination"] == ["already known"]
    assert "contamination" not in star_notes(cuts, ())


def test_stars_with_a_contaminant_are_not_looked_at():
    vel, err = stars()
    assert describe_stars({0: Stars(vel, err), 1: None})
    assert describe_stars({0: Stars(vel, err, contaminant=np.ones(vel.size))}) == []
    assert describe_stars({}) == []


def test_probabilities_that_hold_the_velocities_are_told():
    rng = np.random.default_rng(3)
    member = rng.random(300) < 0.6
    err = np.full(300, 2.0)
    vel = np.where(member, rng.normal(0.0, 10.0, 300), rng.normal(30.0, 50.0, 300)) + 2.0 * rng.normal(
        size=300
    )
    contaminant = Contaminant.gaussian(30.0, 50.0)
    log_odds = norm.logpdf(vel, 0.0, 10.2) - np.log(contaminant.density(vel, err)) + rng.normal(size=300)
    solver = KinematicSolver()
    solver.setup_grid(center=0.0, width=100.0, n_bins=20)
    solver.add_data(vel, err, membership=1.0 / (1.0 + np.exp(-log_odds)), contaminant=contaminant)
    with pytest.warns(ContaminationWarning, match=r"membership probabilities fall.*count twice"):
        solver.run()


def test_samples_without_members_are_told():
    rng = np.random.default_rng(5)
    solver = KinematicSolver()
    solver.setup_grid(center=0.0, width=800.0, n_bins=40)
    solver.add_data(rng.normal(40.0, 60.0, 100), 2.0, contaminant=Contaminant.gaussian(40.0, 60.0))
    with pytest.warns(ContaminationWarning, match=r"do not show that any of the 100 stars is a member"):
        solver.run(num_samples=200)
    solver.add_data(rng.normal(40.0, 10.0, 100), 2.0, contaminant=Contaminant.uniform(3000.0, 4000.0))
    with pytest.warns(ContaminationWarning, match=r"no density at any of the 100 stars"):
        solver.run(num_samples=200)
    with pytest.raises(ValueError, match=r"membership is 0 for all 60 stars"):
        solver.add_data(np.arange(60.0), 2.0, np.zeros(60), Contaminant.gaussian(0.0, 50.0))


@pytest.mark.parametrize(
    ("extra", "contaminant", "words"),
    [
        ({"memebership": [0.5] * 30}, Contaminant.gaussian(0.0, 100.0), "'membership'"),
        ({"contaminant": "learn"}, None, "once, for all bins"),
        ({"membership": [0.5] * 30}, None, "there is no contaminant"),
    ],
)
def test_keys_of_bins_that_do_nothing_are_refused(extra, contaminant, words):
    bins = [{"vel": np.arange(30.0), "err": 2.0} | extra]
    with pytest.raises(ValueError, match=words):
        fit_all_bins(bins, GRID, contaminant=contaminant)
