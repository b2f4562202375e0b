"""Entry point of all benchmarks: ``python -m benchmarks NAME [options]``; without a name, their list."""

from __future__ import annotations

import os
import sys
from importlib import import_module

# One thread of linear algebra for each of the worker processes; must be known before NumPy is imported.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

COMMANDS = {
    "accuracy": "the contest of methods, and coverage",
    "prior_contest": "the contest of prior settings",
    "sbc": "simulation-based calibration",
    "members": "members beside contaminants: calibration and coverage",
    "external_mock": "coverage on somebody else's N-body model",
    "rotating_cluster": "recovery of the fields of a mock rotating cluster",
    "modality": "how well two streams are told from one Gaussian",
    "speed": "stages of one bin, start-up, maps on several cores",
    "map_stages": "stages of a whole map, from stars to report",
    "nuts": "effective samples per second, and NUTS beside them",
}
USAGE = "usage: python -m benchmarks NAME [options]; --help after a name lists its options\n" + "".join(
    f"\n  {name:17s} {what}" for name, what in COMMANDS.items()
)


def main() -> None:
    """Run the benchmark that is named first, with what follows as its options."""
    if sys.argv[1:2] in ([], ["-h"], ["--help"]):
        print(USAGE)
    elif sys.argv[1] in COMMANDS:
        import_module(f"benchmarks.{sys.argv[1]}").main(sys.argv[2:])
    else:
        sys.exit(f"no benchmark is called {sys.argv[1]!r}\n{USAGE}")


if __name__ == "__main__":
    main()
