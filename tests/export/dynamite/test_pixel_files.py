from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veldist.export import read_aperture, read_bins
from veldist.export.checks.pixel_files import parse_aperture
from veldist.export.dynamite.pixel_files import aperture_text, bins_text
from veldist.sky.pixels import PixelGrid

APERTURE = ["# comment", "-3.0 -2.5", "6.0 5.0", "30.0", "4 3"]
BINS = ["# comment", "12", "0 1 1 2 0 1", "2 2 3 3 0 0"]
GRID = PixelGrid(-3.0, -2.5, 6.0, 5.0, 30.0, 4, 3)
REAL = st.floats(-1e6, 1e6)
LENGTH = st.floats(1e-6, 1e6)
FEW = st.integers(1, 7)


@given(grid=st.builds(PixelGrid, REAL, REAL, LENGTH, LENGTH, REAL, FEW, FEW), data=st.data())
def test_what_is_written_comes_back(
    grid: PixelGrid, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    n = grid.nx * grid.ny
    ids = np.array(data.draw(st.lists(st.integers(0, 99), min_size=n, max_size=n)))
    folder = tmp_path_factory.mktemp("files")
    (folder / "a").write_text(aperture_text(grid))
    (folder / "b").write_text(bins_text(ids.reshape(grid.ny, grid.nx)))
    assert read_aperture(folder / "a") == grid
    np.testing.assert_array_equal(read_bins(folder / "b"), ids)
    np.testing.assert_array_equal(read_bins(folder / "b", grid), ids.reshape(grid.ny, grid.nx))


def test_numbers_of_numpy_are_written_as_plain_ones() -> None:
    grid = PixelGrid(np.float64(-3.0), -2.5, 6.0, np.float64(5.0), 30, 4, 3)  # type: ignore[arg-type]
    assert aperture_text(grid).splitlines()[1:] == APERTURE[1:]


def test_files_of_other_programs(tmp_path: Path) -> None:
    """Tabs, several blanks, more words, long lines, no newline at the end."""
    path = tmp_path / "file"
    path.write_text("# comment\n\t-3.  -2.5 \n 6 5.\n  3e1 degrees\n 4\t3  pixels")
    assert read_aperture(path) == GRID
    path.write_text("# comment\n 12 \n" + "\t".join("011201223300"))
    np.testing.assert_array_equal(read_bins(path, GRID), [[0, 1, 1, 2], [0, 1, 2, 2], [3, 3, 0, 0]])


@pytest.mark.parametrize(
    ("read", "lines", "line", "text", "match"),
    [
        (read_aperture, APERTURE, 1, "-3.0", r"line 2: nothing is given for y_start. The lines are"),
        (read_aperture, APERTURE, 3, "", r"line 4: nothing is given for angle"),
        (read_aperture, APERTURE, 2, "6.0 wide", r"line 3: y_size is 'wide', not a number"),
        (read_aperture, APERTURE, 4, "4.0 3", r"line 5: nx is '4.0', not an integer"),
        (read_aperture, APERTURE, 4, "4 0", r"line 5: ny is 0: there are no pixels. Give"),
        (read_aperture, APERTURE, 2, "-6.0 5.0", r"line 3: x_size is -6: the pixel grid has no extent. Give"),
        (read_aperture, APERTURE, 1, "nan 2.0", r"line 2: x_start is 'nan', not a number"),
        (
            read_aperture,
            APERTURE,
            0,
            "-3.0 -2.5",
            r"line 1: .* begins with '-3.0 -2.5', but its first line is",
        ),
        (read_bins, BINS, 1, "13", r"line 2: the file announces '13' pixels and holds 12. Write"),
        (read_bins, BINS, 1, "", r"line 2: the number of pixels or the ids are missing. The lines are"),
        (read_bins, BINS, 1, "twelve", r"line 2: the file announces 'twelve' pixels"),
        (read_bins, BINS, 2, "0 1 1.5 2 0 1", r"line 3: '1.5' is not an integer"),
        (read_bins, BINS, 3, "2 2 3 3 -1 0", r"line 4: .* negative ids; the first is -1, pixel 10. Write 0"),
        (read_bins, BINS, 3, f"2 2 3 3 {2**32} 0", rf"line 4: '{2**32}' is too large"),
        (read_bins, BINS, 0, "12", r"line 1: .* begins with '12', but its first line is skipped"),
    ],
)
def test_bad_files(
    tmp_path: Path, read: Callable[[Path], Any], lines: list[str], line: int, text: str, match: str
) -> None:
    path = tmp_path / "file"
    path.write_text("\n".join(lines))
    read(path)
    path.write_text("\n".join([*lines[:line], text, *lines[line + 1 :]]))
    with pytest.raises(ValueError, match=match) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_the_first_of_several_mistakes_is_named_and_doubts_are_not(tmp_path: Path) -> None:
    path = tmp_path / "aperture.dat"
    text = "not a comment\n-3.0 -2.5\n6.0 5.0\n400.0\n4 3\n"
    path.write_text(text)
    grid, problems = parse_aperture("aperture.dat", text)
    assert [problem.severity for problem in problems] == ["doubtful", "doubtful"]
    assert read_aperture(path) == grid
    text = text.replace("6.0 5.0", "-6.0 wide")
    path.write_text(text)
    grid, problems = parse_aperture("aperture.dat", text)
    assert grid is None
    assert [problem.rule for problem in problems[1:]] == [
        "aperture-size",
        "aperture-number",
        "aperture-angle",
    ]
    with pytest.raises(ValueError) as caught:
        read_aperture(path)
    assert str(caught.value) == f"{path}, line 3: {problems[1].message} {problems[1].cure}"


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    (tmp_path / "bins.dat").write_text("\n".join(BINS))
    with pytest.raises(ValueError, match=r"line 2: the file holds 12 ids, but nx \* ny is 2 \* 5 = 10 in"):
        read_bins(tmp_path / "bins.dat", PixelGrid(0.0, 0.0, 1.0, 1.0, 0.0, 2, 5))


@pytest.mark.parametrize("read", [read_aperture, read_bins])
def test_no_file_and_an_empty_one(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(FileNotFoundError, match="is no file"):
        read(tmp_path / "nowhere")
    (tmp_path / "empty").touch()
    with pytest.raises(ValueError, match=r"empty, line 2: (nothing is given|the number of pixels)"):
        read(tmp_path / "empty")
    (tmp_path / "short").write_text("# comment\n0\n")
    with pytest.raises(ValueError, match=r"short, line [23]: (nothing is given|the number of pixels)"):
        read(tmp_path / "short")
