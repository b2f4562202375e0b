"""Standard outputs that are closed, full, or read by nobody stop no fit."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.quick import make_bins
from veldist.pipeline.folder import REPORT

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a shell and /dev/full")

ROOT = Path(__file__).parents[2]


def shell(command, *arguments):
    """Run a command line, in which "$@" is this Python with the arguments."""
    words = ["bash", "-o", "pipefail", "-c", command, "bash", sys.executable, *map(str, arguments)]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=300, env=buffered)


@pytest.fixture(scope="module")
def stars(tmp_path_factory):
    """A table of two bins of stars."""
    data = make_bins([60])[0]
    x, y = np.random.default_rng(0).normal(size=(2, 60))
    path = tmp_path_factory.mktemp("stars") / "stars.csv"
    columns = np.transpose([x, y, data["vel"], data["err"]])
    np.savetxt(path, columns, delimiter=",", header="x,y,vel,err", comments="")
    return path


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ('"$@" 2>&1 | head -1', 1),
        ('"$@" >&- 2>&-', 0),
        ('PYTHONUNBUFFERED=1 "$@" >/dev/full 2>&1', 0),
    ],
)
def test_a_fit_goes_on_when_nobody_listens(command, said, stars, tmp_path):
    columns = [f"--{name}={name}" for name in ("x", "y", "vel", "err")]
    options = ["--stars-per-bin=30", "--num-samples=50", "--jobs=2", f"--out={tmp_path / 'out'}"]
    process = shell(command, "-m", "veldist", "fit", stars, *columns, *options)
    assert process.returncode == 0
    assert len(process.stdout.splitlines()) == said
    assert process.stderr == ""
    assert (tmp_path / "out" / REPORT).is_file()


# The first line is left in the buffer, so that whoever flushes it fails.
LIBRARY = """
import sys
from tests.helpers.quick import GRID, RUN, make_bins
from veldist import fit_all_bins
if sys.stdout is not None:
    sys.stdout.write("said before")
solvers = fit_all_bins(make_bins([30] * 4), GRID, RUN, n_jobs=2)
with open(sys.argv[1], "w") as file:
    file.write(str(sum(solver is not None for solver in solvers)))
"""


@pytest.mark.parametrize("command", ['"$@" 2>&1 | :', '"$@" >&- 2>&-', '"$@" >/dev/full 2>/dev/full'])
def test_the_library_goes_on_as_well(command, tmp_path):
    shell(command, "-c", LIBRARY, tmp_path / "done")
    assert (tmp_path / "done").read_text() == "4"


def test_what_a_command_is_asked_for_is_not_lost_in_silence(tmp_path):
    (tmp_path / "bins.dat").write_text("nothing")
    arguments = ("-m", "veldist", "check", tmp_path)
    whole = shell('"$@"', *arguments)
    assert whole.returncode == 1
    assert len(whole.stdout.splitlines()) > 1
    full = shell('"$@" >/dev/full', *arguments)
    assert full.returncode == 1
    reason = os.strerror(28)
    assert full.stderr == f"error: the standard output could not be written ({reason}).\n"
    # Who reads the first line only has read enough.
    assert shell('"$@" | head -1', *arguments).stderr == ""
