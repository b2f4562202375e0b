import numpy as np
import pytest

from veldist.calibration.quantities import SHAPE_QUANTITIES
from veldist.calibration.sbc_result import SbcResult
from veldist.calibration.uniformity import ecdf_counts
from veldist.inference import Settings
from veldist.models.losvd.basis import PriorSettings


@pytest.fixture(scope="module")
def made_up():
    rng = np.random.default_rng(8)
    ranks = rng.integers(0, 128, (400, 13))
    ranks[:, 1] = rng.integers(0, 90, 400)
    return SbcResult(
        quantities=(*SHAPE_QUANTITIES, "log_joint", "component_scale", "gaussian"),
        ranks=ranks,
        pit=(ranks + rng.random(ranks.shape)) / 128,
        failed=np.array([], dtype=int),
        not_converged=np.array([], dtype=int),
        messages={},
        n_stars=150,
        err=0.3,
        sigma=1.0,
        n_ranks=127,
        seed=0,
        prior=PriorSettings(),
        settings=Settings(),
    )


def test_table_says_which_quantity_is_wrong_and_how(made_up):
    table = made_up.table()
    assert table["quantity"][~table["inside"]].tolist() == ["sigma"]
    assert str(made_up).endswith("12 of 13 quantities inside the 99 % band; outside: sigma")
    row = table[1]
    assert row["excursion"] > 2.0
    assert row["p_ecdf"] < 1e-6
    assert row["p_ks"] < 1e-6
    # Uniform on 0 to 90 / 128: central intervals are from 0.16 and 0.025.
    assert row["coverage68"] == pytest.approx(1 - 0.16 * 128 / 90, abs=4 * row["coverage68_error"])
    assert row["coverage95"] == pytest.approx(1 - 0.025 * 128 / 90, abs=4 * row["coverage95_error"])
    assert row["mean_pit"] == pytest.approx(45 / 128, abs=4 * row["mean_pit_error"])
    assert row["coverage68_error"] == pytest.approx(np.sqrt(0.68 * 0.32 / 400))
    for column in ("p_ecdf", "p_ks"):
        assert np.all(table[column][table["inside"]] > 0.01 / 13)


def test_plot_labels_all_and_marks_the_one_outside(made_up):
    ax = made_up.plot()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[0] == "99 % band of each"
    assert labels[2] == "sigma (outside)"
    assert len(labels) == 14
    line = ax.get_lines()[1]
    np.testing.assert_allclose(
        line.get_ydata(), ecdf_counts(made_up.pit[:, 0], 127) / 400 - np.arange(1, 128) / 128
    )
    looks = {(line.get_color(), line.get_linestyle()) for line in ax.get_lines()[1:]}
    assert len(looks) == 13
    assert made_up.plot(ax, probability=0.95) is ax


@pytest.mark.parametrize("probability", [0.0, 1.0, np.nan, 99])
def test_probabilities_are_checked(made_up, probability):
    with pytest.raises(ValueError, match="probability must"):
        made_up.bands(probability)
