"""Simulation-based calibration where the data tell little, enough, and a lot.

Prints the tables and leaves them (CSV) and a picture of each case in the folder ``--out``. Every case has its
own seed, so that what happens by chance in one does not happen in the others, too.
"""

from __future__ import annotations

import time
from itertools import product

import matplotlib.pyplot as plt
from astropy.table import vstack

from benchmarks.results import keep, make_parser, result_path
from veldist.calibration import simulation_based_calibration

N_STARS = (30, 150, 1000)
ERR = (0.1, 0.7)


def main(arguments: list[str]) -> None:
    """Run all cases."""
    parser = make_parser(__name__, __doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    options = parser.parse_args(arguments)
    tables = []
    for seed, (n_stars, err) in enumerate(product(N_STARS, ERR)):
        started = time.perf_counter()
        result = simulation_based_calibration(n_stars, err, n_simulations=options.simulations, seed=seed)
        seconds = time.perf_counter() - started
        print(f"\nN = {n_stars}, err / sigma = {err}, truths of seed {seed}: {result} ({seconds:.0f} s)")
        table = result.table()
        table.pprint(max_lines=-1, max_width=-1)
        table.meta.clear()
        table["n_stars"], table["err"], table["seed"] = n_stars, err, seed
        tables.append(table)
        ax = result.plot()
        ax.figure.savefig(result_path(options.out, f"sbc_{n_stars}_{err}", ".png"), dpi=150)
        plt.close("all")
    print(f"\n{keep(vstack(tables), options.out, 'sbc')}")
