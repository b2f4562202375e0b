"""Make the pictures of the documentation: ``make figures``, or ``python docs/make_figures [NAME ...]``."""

from __future__ import annotations

import argparse
import time
from importlib import import_module
from pathlib import Path

import matplotlib as mpl

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))


def main() -> None:
    """Run the module of every name, each of which writes its pictures into the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)}; all by default")
    parser.add_argument("--out", type=Path, default=HERE.parent / "figures", help="folder of the pictures")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(NAMES))
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}: choose among {', '.join(NAMES)}.")
    mpl.use("Agg")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or NAMES:
        start = time.perf_counter()
        import_module(name).main(arguments.out)
        print(f"{name}: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
