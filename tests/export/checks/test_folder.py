"""The validator as a whole: problems together, what must pass, and the documentation of the rules."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.export.checks.test_gauss_hermite import GAUSS_HERMITE_CASES
from tests.export.checks.test_histogram import HISTOGRAM_CASES
from tests.export.checks.test_pixels import PIXEL_CASES
from tests.helpers.folders import APERTURE as A
from tests.helpers.folders import BINS as B
from tests.helpers.folders import GAUSS_HERMITE as G
from tests.helpers.folders import HISTOGRAM as T
from tests.helpers.folders import gauss_hermite_folder, histogram_folder
from veldist.export.checks.folder import Problem, validate_dynamite_inputs
from veldist.export.checks.problem import Rule


def test_every_rule_has_a_case_and_is_explained() -> None:
    """The tables of the documentation name the rules, each with the severities that the cases show."""
    cases = [*HISTOGRAM_CASES.values(), *PIXEL_CASES.values(), *GAUSS_HERMITE_CASES.values()]
    tested: dict[str, set[str]] = {"kind": {"error"}}  # has a test of its own
    for _, expected in cases:
        for rule, severity, *_ in expected:
            tested.setdefault(rule, set()).add(severity)
    text = (Path(__file__).parents[3] / "docs/checks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| ([a-z, ]+) \|", text, flags=re.MULTILINE)
    assert {rule: set(severities.split(", ")) for rule, severities in rows} == tested
    assert set(get_args(Rule)) == tested.keys()


# ---------------------------------------------------------------- combinations


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    folder = histogram_folder(tmp_path)
    for name in ("nan", "psf-weights", "vcent-descending", "dlosvd-zero"):
        HISTOGRAM_CASES[name][0](folder)
    for name in ("negative-size", "announced-number"):
        PIXEL_CASES[name][0](folder)
    found = validate_dynamite_inputs(folder.write())
    assert {(p.rule, p.file) for p in found} == {
        ("nan", T),
        ("psf-weights", T),
        ("vcent-descending", T),
        ("dlosvd-positive", T),
        ("aperture-size", A),
        ("pixel-count", B),
    }


def test_both_kinds_of_table_are_found_and_checked(tmp_path: Path) -> None:
    coefficients = gauss_hermite_folder(tmp_path)
    GAUSS_HERMITE_CASES["dv-zero"][0](coefficients)
    coefficients.write()
    histograms = histogram_folder(tmp_path)
    HISTOGRAM_CASES["dlosvd-zero"][0](histograms)
    histograms.write()
    # Neither is a table of other things, nor a figure.
    summary = coefficients.table["v", "h3", "h4", "dh3"]
    summary.rename_column("dh3", "h5")
    summary.write(tmp_path / "summary.ecsv", format="ascii.ecsv")
    (tmp_path / "map.png").write_bytes(b"\x89PNG\r\n")
    found = validate_dynamite_inputs(tmp_path)
    assert {(p.rule, p.file) for p in found} == {("dlosvd-positive", T), ("gh-uncertainty", G)}
    assert [p.rule for p in validate_dynamite_inputs(tmp_path, kin_filename=G)] == ["gh-uncertainty"]


def test_a_named_table_of_another_kind_is_refused(tmp_path: Path) -> None:
    folder = histogram_folder(tmp_path)
    folder.table["binID_dynamite", "v", "xbin"].write(tmp_path / "other.ecsv", format="ascii.ecsv")
    found = validate_dynamite_inputs(tmp_path, kin_filename="other.ecsv")
    assert [(p.rule, p.file) for p in found] == [("kind", "other.ecsv")]


def test_values_are_counted_with_their_rows(tmp_path: Path) -> None:
    folder = histogram_folder(tmp_path)
    for row in (1, 4, 5):
        folder.table["dlosvd_2"][row] = 0.0
    folder.table["dlosvd_9"][4] = -1.0
    (found,) = validate_dynamite_inputs(folder.write())
    assert (found.row, found.column, found.value) == (1, "dlosvd_2", 0.0)
    assert "4 such values, 3 of 6 rows (1, 4, 5), columns dlosvd_2, dlosvd_9" in found.message


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (lambda image: image.ravel().reshape(6, 8).T, "y varying fastest"),
        (lambda image: image[:, ::-1], "x mirrored"),
        (lambda image: image[::-1], "y downwards"),
    ],
)
def test_what_is_wrong_with_a_map_is_named(
    tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], hint: str
) -> None:
    """``change`` undoes itself, but for the transposition, whose inverse is written here."""
    folder = histogram_folder(tmp_path)
    image = folder.ids().reshape(8, 6)
    folder.set_ids(image.T if hint == "y varying fastest" else change(image))
    (found,) = validate_dynamite_inputs(folder.write())
    assert found.rule == "bin-position"
    assert f"it would be with {hint}" in found.message


def test_a_map_that_counts_from_0_is_named(tmp_path: Path) -> None:
    folder = histogram_folder(tmp_path)
    folder.set_ids(np.maximum(folder.ids() - 1, 0))
    rules = {p.rule: p for p in validate_dynamite_inputs(folder.write())}
    assert rules.keys() == {"bin-without-pixel", "bin-position"}
    assert rules["bin-without-pixel"].severity == "error"
    assert "it would be with bins counted from 1" in rules["bin-position"].message


def test_a_map_that_counts_from_2_is_named(tmp_path: Path) -> None:
    folder = histogram_folder(tmp_path)
    ids = folder.ids()
    folder.set_ids(np.where(ids > 0, ids + 1, 0))
    rules = {p.rule: p for p in validate_dynamite_inputs(folder.write())}
    assert rules.keys() == {"pixel-without-row", "bin-without-pixel", "bin-position"}
    assert "it would be with ids smaller by 1" in rules["bin-position"].message


def test_lines_are_those_of_the_file_without_its_comment(tmp_path: Path) -> None:
    folder = histogram_folder(tmp_path)
    folder.aperture[1:3] = ["-6.0 left", "12.0 -16.0"]
    folder.bins[4] = "x" + folder.bins[4][1:]
    del folder.aperture[0], folder.bins[0]
    found = validate_dynamite_inputs(folder.write())
    assert [(p.file, p.rule, p.row) for p in found] == [
        (A, "comment-line", 1),
        (A, "aperture-number", 1),
        (A, "aperture-size", 2),
        (B, "comment-line", 1),
        (B, "bins-integer", 4),
    ]


@pytest.mark.parametrize("name", ["aperture", "bins"])
def test_other_file_names(tmp_path: Path, name: str) -> None:
    folder = histogram_folder(tmp_path)
    (tmp_path / f"{name}.dat").rename(tmp_path / "other.txt")
    found = validate_dynamite_inputs(folder.path, **{f"{name}_filename": "other.txt"})
    assert not found


def test_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"folder '.*nowhere' does not exist"):
        validate_dynamite_inputs(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="is a file"):
        validate_dynamite_inputs(tmp_path / "file")


def test_an_empty_folder_lacks_three_files(tmp_path: Path) -> None:
    assert [(p.rule, p.file) for p in validate_dynamite_inputs(tmp_path)] == [
        ("file-missing", name) for name in (T, A, B)
    ]


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\xff\xfe\x00\x01", b"# %ECSV 1.0\n", b"a b\n1 2\n", b"#"]
)
@pytest.mark.parametrize("name", [T, A, B])
def test_rubbish_is_reported_and_raises_nothing(tmp_path: Path, name: str, content: bytes) -> None:
    folder = histogram_folder(tmp_path)
    (folder.write() / name).write_bytes(content)
    found = validate_dynamite_inputs(tmp_path)
    assert found
    assert {p.file for p in found} == {name}
    assert any(p.severity == "error" for p in found)


@settings(max_examples=60)
@given(st.data())
def test_damage_of_any_kind_raises_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Lines and words are removed, doubled or replaced; whatever is found, each problem can be printed."""
    build = data.draw(st.sampled_from([histogram_folder, gauss_hermite_folder]))
    path = build(tmp_path_factory.mktemp("damaged")).write()
    file = path / data.draw(st.sampled_from(sorted(p.name for p in path.iterdir())))
    lines = file.read_text().splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        k = data.draw(st.integers(0, len(lines) - 1))
        words = lines[k].split(" ")
        j = data.draw(st.integers(0, len(words) - 1))
        strange = [
            "",
            "nan",
            "-1",
            "0",
            "1e400",
            "9" * 20,
            "[",
            "{",
            "null",
            "'",
            '"',
            "#",
            ":",
            "é",
            "²",
            "+-1",
        ]
        words[j] = data.draw(st.sampled_from(strange))
        changed = {
            "remove": [],
            "double": [lines[k], lines[k]],
            "word": [" ".join(words)],
            "cut": [lines[k][:j]],
        }
        lines[k : k + 1] = changed[data.draw(st.sampled_from(sorted(changed)))]
        if not lines:
            break
    file.write_text("\n".join(lines), encoding="utf-8")
    assert all(str(problem) for problem in validate_dynamite_inputs(path))


def test_problems_are_frozen() -> None:
    problem = Problem("f", 1, None, 0, "error", "rule", "message.", "cure.")
    with pytest.raises(dataclasses.FrozenInstanceError):
        problem.row = 2  # ty: ignore[invalid-assignment]
    assert str(problem) == "error: f, line 1: message. cure. [rule]"
