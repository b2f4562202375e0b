"""Simulation-based calibration where the data tell little, enough, and a lot.

Run with ``python benchmarks/sbc.py`` (``make bench-sbc``). Prints the tables and leaves ``sbc.csv`` and a
picture of each case in the folder ``--out``.
"""

from __future__ import annotations

import argparse
import time
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
from astropy.table import vstack

from veldist.calibration import simulation_based_calibration

N_STARS = (30, 150, 1000)
ERR = (0.1, 0.7)


def main() -> None:
    """Run all cases."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("bench_sbc"), help="folder of the results")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    tables = []
    for n_stars, err in product(N_STARS, ERR):
        started = time.perf_counter()
        result = simulation_based_calibration(n_stars, err, n_simulations=options.simulations)
        print(f"\nN = {n_stars}, err / sigma = {err}: {result} ({time.perf_counter() - started:.0f} s)")
        table = result.table()
        table.pprint(max_lines=-1, max_width=-1)
        table["n_stars"], table["err"] = n_stars, err
        tables.append(table)
        ax = result.plot()
        ax.figure.savefig(options.out / f"sbc_{n_stars}_{err}.png", dpi=150)
        plt.close("all")
    vstack(tables).write(options.out / "sbc.csv", overwrite=True)


if __name__ == "__main__":
    main()
