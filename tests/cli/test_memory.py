"""Too little memory: a sentence that says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from veldist.cli.memory import enough

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on addresses")


def limited(megabytes, *arguments):
    """Run this Python with so many megabytes of addresses."""
    command = f'ulimit -v {megabytes}000; exec "$@"'
    one = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        ["bash", "-c", command, "bash", sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        env=os.environ | one,
    )


@pytest.mark.parametrize("megabytes", [100, 200, 380])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_command_with_too_little_says_so(megabytes, jobs, tmp_path):
    process = limited(megabytes, "-m", "veldist", "demo", f"--jobs={jobs}", f"--out={tmp_path / 'out'}")
    assert process.returncode == 1
    assert process.stdout == ""
    assert process.stderr.startswith("error: memory")
    assert process.stderr.count("\n") == 1


@pytest.mark.parametrize("megabytes", [200, 320])
def test_so_does_the_library(megabytes):
    code = "from tests.support.test_processes import double, run_tasks; list(run_tasks(double, range(50), 2))"
    process = limited(megabytes, "-c", code)
    last = process.stderr.splitlines()[-1]
    assert last.startswith("MemoryError: memory is limited to ")
    assert last.endswith(" MB a process (ulimit -v), and 340 MB are needed at the least: raise the limit.")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("can't start new thread"),
        ImportError("libzstd.so.1: failed to map segment from shared object"),
        SystemError("error return without exception set"),
    ],
)
def test_what_becomes_of_a_lack_of_memory_is_known(error, capsys):
    # As the cause of another, too.
    with pytest.raises(SystemExit, match="1"), enough():
        raise ValueError("cannot be read") from error
    said = capsys.readouterr().err
    assert said.startswith("error: memory ran out (ValueError: cannot be read): free some, ")
    assert said.count("\n") == 1


def test_the_cure_is_an_option(capsys):
    with pytest.raises(SystemExit, match="1"), enough():
        raise RuntimeError("memory: pass a smaller n_jobs, or n_jobs=1.") from MemoryError()
    assert capsys.readouterr().err == "error: memory: pass a smaller --jobs, or --jobs 1.\n"


def test_other_errors_are_themselves():
    with pytest.raises(ValueError, match="bad"), enough():
        raise ValueError("bad")
