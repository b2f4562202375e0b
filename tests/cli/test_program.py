"""The program as a whole: how it is started, its help, completion, and how much it says."""

import logging
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from tests.helpers.folders import histogram_folder
from veldist.cli.app import app
from veldist.cli.messages import running

COMMANDS = ("fit", "report", "forecast", "demo", "check")


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})


def program(*arguments, **env):
    process = subprocess.run(
        [sys.executable, "-m", "veldist", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"NO_COLOR": "1"} | env,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_python_m_veldist_is_the_program_veldist():
    out = program("--help")
    assert "Usage: veldist " in out
    assert all(command in out for command in COMMANDS)


def test_the_help_of_no_command_imports_what_only_work_needs():
    code = f"""
import sys
from typer.testing import CliRunner
from veldist.cli.app import app
for command in ([], *([name] for name in {COMMANDS})):
    assert CliRunner().invoke(app, [*command, "--help"]).exit_code == 0, command
print(sorted(set(sys.modules) & {{"numpy", "scipy", "astropy", "matplotlib", "tqdm", "loky", "xarray"}}))
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.stdout == "[]\n", process.stderr


def test_shells_complete_commands_and_options():
    assert "complete -o default -F _veldist_completion veldist" in program(_VELDIST_COMPLETE="source_bash")
    for words, found in (("veldist f", ["fit", "forecast"]), ("veldist fit --dr", ["--drop-masked"])):
        count = str(words.count(" "))
        out = program(_VELDIST_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=count)
        assert out.split() == found
    out = run("--help").output
    assert "--install-completion" in out
    assert "--show-completion" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_quiet_and_verbose(command):
    out = run(command, "--help").output
    assert "--quiet" in out
    assert "--verbose" in out


@pytest.mark.parametrize("arguments", [("-q", "check", "-v"), ("check", "--verbose", "-q"), ("-qv", "check")])
def test_quiet_and_verbose_exclude_each_other(arguments, tmp_path):
    result = run(*arguments, tmp_path)
    assert result.exit_code == 2
    assert "exclude each other" in result.output


def test_a_quiet_demo_says_nothing(tmp_path):
    demo = ("demo", "--n-stars", 300, "--stars-per-bin", 100, "--jobs", 1, "--out", tmp_path)
    result = run(*demo, "-q")
    assert result.exit_code == 0, result.output
    assert result.output == ""
    assert (tmp_path / "truth.png").exists()


def test_quiet_may_stand_before_the_command(tmp_path):
    folder = histogram_folder(tmp_path).path
    assert run("check", folder).output != ""
    result = run("--quiet", "check", folder)
    assert result.exit_code == 0
    assert result.output == ""


def test_a_quiet_forecast_shows_what_was_asked_for_only(tmp_path):
    figure = tmp_path / "f.png"
    plan = ("forecast", "--n-stars", 60, "--err", 2, "--sigma", 10, "--mocks", 2, "--num-samples", 100)
    loud = run(*plan, "--jobs", 1, "-o", figure)
    quiet = run(*plan, "--jobs", 1, "-o", figure, "--quiet")
    assert quiet.exit_code == loud.exit_code == 0, loud.output
    assert "skewness" in quiet.output
    assert quiet.output in loud.output
    assert "wrote" in loud.output
    assert "wrote" not in quiet.output
    assert "mocks:" not in quiet.output


def test_errors_are_said_in_any_case(tmp_path):
    for options in ((), ("--quiet",), ("--verbose",)):
        result = run("report", tmp_path, "-o", tmp_path / "r.html", *options)
        assert result.exit_code == 1
        assert "error: " in result.output
        # For who wants to tell the authors.
        assert ("Traceback" in result.output) == (options == ("--verbose",))


@pytest.mark.parametrize(
    ("quiet", "verbose", "expected"), [(True, False, "w"), (False, False, "iw"), (False, True, "diw")]
)
def test_only_our_own_messages_are_asked_for(quiet, verbose, expected, capsys):
    ours, theirs = logging.getLogger("veldist.sky"), logging.getLogger("numcodecs")
    level = logging.getLogger("veldist").level
    with running(quiet, verbose, lambda: "") as say:
        capsys.readouterr()
        for logger in (ours, theirs):
            logger.debug("d%s", logger.name)
            logger.info("i%s", logger.name)
        ours.warning("w%s", ours.name)
        say("written")
    out, err = capsys.readouterr()
    assert err.split() == [f"{letter}veldist.sky" for letter in expected]
    assert out == ("" if quiet else "written\n")
    assert logging.getLogger("veldist").level == level
    assert not logging.getLogger("veldist").handlers
