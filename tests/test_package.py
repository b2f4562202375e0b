"""What importing the package costs, and what it offers."""

import subprocess
import sys

import pytest

import veldist


def loaded_after(code):
    program = code + "\nimport sys; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy():
    loaded = loaded_after("import veldist")
    assert not {"numpy", "scipy", "astropy", "matplotlib", "xarray", "arviz_stats", "jax"} & loaded


def test_fitting_a_bin_needs_no_tables_plots_or_labels():
    loaded = loaded_after(
        "import numpy as np\n"
        "from veldist import KinematicSolver, fit_all_bins, write_dynamite_kinematics\n"
        "from veldist.analysis import compute_summary, compute_summary_maps\n"
        "s = KinematicSolver(); s.setup_grid(0.0, 100.0, 20); s.add_data(np.arange(-20.0, 20.0), 2.0)\n"
        "s.run(num_samples=50); s.clip_uncertainties()\n"
        "compute_summary_maps([s])"
    )
    assert not {"astropy", "matplotlib", "pandas", "xarray", "arviz_stats", "jax", "typer"} & loaded


@pytest.mark.parametrize("name", veldist.__all__)
def test_every_public_name_is_there(name):
    assert getattr(veldist, name) is not None
    assert name in dir(veldist)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="attribute nothing"):
        _ = veldist.nothing


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert veldist.__version__ == version("veldist")


def test_older_homes_of_public_names_still_have_them():
    from veldist import sky
    from veldist.binning import bin_stars
    from veldist.inference import PriorSettings

    assert bin_stars is sky.bin_stars
    assert PriorSettings is veldist.PriorSettings


@pytest.mark.parametrize("name", veldist.sky.__all__)
def test_every_public_name_of_the_sky_is_there(name):
    assert getattr(veldist.sky, name) is not None
