"""Ctrl-C: what was kept, how to go on, no traceback, whenever it comes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from veldist.cli import results
from veldist.cli.app import app
from veldist.cli.interrupts import told
from veldist.pipeline.folder import STORE

pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")

SCRIPT = """
import os, signal, sys, time
from veldist.cli.interrupts import told, watched
signal.signal(signal.SIGINT, signal.default_int_handler)
class Callback:
    def __del__(self):
        come()
def come(number=signal.SIGINT):
    signal.raise_signal(number)
def swallow():
    try:
        come()
    except KeyboardInterrupt:
        pass
def turn():
    try:
        come()
    except KeyboardInterrupt:
        raise ImportError("half imported") from None
def exit():
    try:
        come()
    except KeyboardInterrupt:
        sys.exit(1)
def twice():
    try:
        come()
    finally:
        come()
        sys.stderr.write("tidied\\n")
with watched():
    {before}
    with told(lambda: "this was kept"):
        {within}
        time.sleep(30)
"""

BEFORE = "interrupted before anything was done; the same command starts again.\n"


@pytest.mark.parametrize(
    ("before", "within", "code", "said"),
    [
        ("pass", "come()", 130, "this was kept\n"),
        ("pass", "come(signal.SIGTERM)", 143, "this was kept\n"),
        ("pass", "come(signal.SIGHUP)", 129, "this was kept\n"),
        ("come()", "pass", 130, BEFORE),
        ("exit()", "pass", 130, BEFORE),
        # Libraries do all of this while they are imported.
        ("pass", "swallow()", 130, "this was kept\n"),
        ("pass", "turn()", 130, "this was kept\n"),
        ("pass", "Callback()", 130, "this was kept\n"),
        ("pass", "exec('come()')", 130, "this was kept\n"),
        ("pass", "twice()", 130, "tidied\nthis was kept\n"),
    ],
)
def test_any_interruption_ends_in_a_message(before, within, code, said):
    began = time.monotonic()
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(before=before, within=within)], capture_output=True, text=True
    )
    assert process.stderr == said
    assert process.returncode == code
    assert time.monotonic() - began < 20.0


def test_ignored_signals_stay_ignored():
    script = "signal.signal(signal.SIGINT, signal.SIG_IGN)\nwith watched():\n    come()\n    sys.exit(7)\n"
    code = SCRIPT.partition("with watched()")[0] + script
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 7
    assert process.stderr == ""


def test_an_exception_that_says_what_was_kept_is_taken_at_its_word(capsys):
    with pytest.raises(SystemExit, match="130"), told(lambda: "not this"):
        raise KeyboardInterrupt("interrupted after 3 bins; the same call goes on from there.")
    assert capsys.readouterr().err == "interrupted after 3 bins; the same command goes on from there.\n"


def test_a_fit_says_whether_it_has_begun(tmp_path):
    assert results._STORE == STORE
    kept = results.kept_in(tmp_path)
    assert "no bin has been fitted yet" in kept()
    (tmp_path / STORE).mkdir()
    assert f"kept in {tmp_path / STORE}; the same command goes on" in kept()


def test_report_and_forecast_say_that_nothing_was_kept(tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("veldist.pipeline.folder.report_on", interrupted)
    monkeypatch.setattr("veldist.calibration.forecast", interrupted)
    for command in (
        ("report", str(tmp_path), "-o", "r.html"),
        ("forecast", "--n-stars", "60", "--err", "2", "--sigma", "10"),
    ):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 130
        assert result.output.startswith("interrupted: ")
        assert "the same command starts again" in result.output


@pytest.mark.parametrize("moment", ["first line", "first bin"])
def test_a_demo_stops_at_once_and_says_how_to_go_on(moment, tmp_path):
    out = tmp_path / "demo"
    command = [sys.executable, "-m", "veldist", "demo", "--n-stars", "900", "--stars-per-bin", "30"]
    with (tmp_path / "said").open("w+") as said:
        process = subprocess.Popen(
            [*command, "--jobs", "1", "--out", out],
            stdout=said,
            stderr=said,
            start_new_session=True,
            # Ignored in programs that a shell started in the background.
            preexec_fn=_hear,
        )
        begun = {
            "first line": lambda: said_something(tmp_path / "said"),
            "first bin": lambda: any((out / STORE).glob("bin_*.npz")),
        }[moment]
        deadline = time.monotonic() + 60.0
        while not begun() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        # As a terminal does it: to all processes.
        os.killpg(process.pid, signal.SIGINT)
        began = time.monotonic()
        assert process.wait(60) == 130
        # 0.1 s on an idle machine.
        assert time.monotonic() - began < 5.0
        said.seek(0)
        text = said.read()
    assert "Traceback" not in text
    assert "Exception" not in text
    last = text.splitlines()[-1]
    assert last.startswith("interrupted")
    assert ("starts again" if moment == "first line" else "goes on from there") in last


def said_something(path: Path) -> bool:
    return path.stat().st_size > 0


def _hear() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
