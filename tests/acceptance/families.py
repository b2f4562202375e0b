"""Families of bad, odd and extreme input, the doors that they are brought to, and what comes of each.

``python -m tests.acceptance.families`` prints, for the package that is imported, how many of each family give
the right answer, a sentence from the package, a wrong answer, or a traceback from deep inside.
"""

from __future__ import annotations

import datetime
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from astropy import units as u
from astropy.table import Column, MaskedColumn

import veldist
from veldist import KinematicSolver, fit_all_bins, plotting, simulate

try:
    from veldist.fits.grid import suggest_grid
except ImportError:  # where it was in older versions
    from veldist.velocity_grid import suggest_grid

__all__ = ["FAMILIES", "Case", "judge"]

KMS = u.km / u.s
GRID = {"center": 0.0, "width": 160.0, "n_bins": 32}


# Sentences that are nobody's: of Python and NumPy, raised from compiled code within our own frames.
_RAW = (
    "setting an array element",
    "could not convert",
    "length-1 array",
    "truth value of",
    "unsupported operand",
    "not supported between",
    "unexpected keyword",
    "not iterable",
    "inhomogeneous",
    "has no len",
    "not subscriptable",
    "too large to convert",
    "string conversion",
    "can't be converted",
    "not enough values",
    "too many values",
    "cannot be interpreted as",
    "argument must be",
    "Cannot cast",
    "division by zero",
)


class Case(NamedTuple):
    """One input at one door; ``call`` returns whether the answer is right, or nothing if there is none."""

    name: str
    call: Callable[[], bool | None]


def judge(case: Case) -> str:
    """What came of it: "right", "taught", "wrong", or "deep" with what was raised or warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            right = case.call()
        except Exception as error:  # this is what is looked at
            found = getattr(error, "failures", None)
            inner = next(iter(found.values())) if found else error
            frames = traceback.extract_tb(inner.__traceback__)
            ours = bool(frames) and "/veldist/" in frames[-1].filename
            kind = isinstance(inner, TypeError | ValueError | OSError)
            if ours and kind and not any(text in str(inner) for text in _RAW):
                return "taught"
            where = frames[-1].filename.rsplit("/", 3)[-3:] if frames else []
            return f"deep: {type(inner).__name__} in {'/'.join(where)}: {str(inner)[:80]}"
    raw = [w for w in caught if issubclass(w.category, RuntimeWarning | DeprecationWarning | FutureWarning)]
    if raw:
        return f"deep: {raw[0].category.__name__}: {str(raw[0].message)[:80]}"
    told = any(issubclass(w.category, UserWarning) for w in caught)
    return "right" if right in (None, True) else "taught" if told else "wrong"


def sample(n: int = 60, seed: int = 3) -> np.ndarray:
    """Velocities of a Gaussian of dispersion 10, observed with errors of 2 (km/s)."""
    return np.random.default_rng(seed).normal(0.0, np.hypot(10.0, 2.0), n)


def dispersion(vel: Any, err: Any, scale: float = 1.0, center: float = 0.0) -> tuple[float, float]:
    """Dispersion of the fit of one bin and its error, in units of ``scale``."""
    solver = KinematicSolver()
    solver.setup_grid(center, 160.0 * scale, 33)
    solver.add_data(vel, err)
    solver.run(num_samples=300)
    z = (solver.grid["centers"] - center) / scale
    masses = solver.samples["intrinsic_pdf"]
    sigma = np.sqrt(masses @ z**2 - (masses @ z) ** 2)
    return float(np.median(sigma)), float(np.diff(np.percentile(sigma, [16, 84]))[0] / 2)


def same_stars(vel: Any, err: Any, expected_vel: Any, expected_err: Any) -> bool:
    """Whether these stars arrive as the numbers that they stand for."""
    solver = KinematicSolver()
    solver.setup_grid(**GRID)
    solver.add_data(vel, err)
    return bool(np.allclose(solver.vel, expected_vel, rtol=1e-6) and np.allclose(solver.err, expected_err))


def containers() -> Iterator[Case]:
    """Velocities in all that holds numbers."""
    v = np.round(sample(), 3)
    e = np.full(60, 2.0)
    good: dict[str, Any] = {
        "list": v.tolist(),
        "tuple": tuple(v),
        "float32": v.astype(np.float32),
        "big endian": v.astype(">f8"),
        "objects": v.astype(object),
        "strided": np.repeat(v, 2)[::2],
        "Series": pd.Series(v, index=np.arange(60)[::-1]),
        "Float64": pd.Series(v, dtype="Float64"),
        "DataFrame column": pd.DataFrame({"v": v})["v"],
        "category": pd.Series(v).astype("category"),
        "Decimal": [Decimal(repr(float(x))) for x in v],
        "Fraction": [Fraction(float(x)) for x in v],
        "Quantity": v * KMS,
        "m/s": (1e3 * v) * u.m / u.s,
        "list of Quantities": [x * KMS for x in v],
        "mixed units": [x * KMS if k % 2 else 1e3 * x * u.m / u.s for k, x in enumerate(v)],
        "Column": Column(v, unit="km/s"),
        "MaskedColumn": MaskedColumn(v, unit="km/s", mask=np.zeros(60, dtype=bool)),
        "masked array": np.ma.masked_array(v, np.zeros(60, dtype=bool)),
        "read-only": np.frombuffer(v.tobytes()),
    }
    for name, value in good.items():
        yield Case(f"vel as {name}", lambda value=value: same_stars(value, e, v, e))
    for name, error in {
        "float": 2.0,
        "int": 2,
        "0-d": np.array(2.0),
        "Quantity": 2000.0 * u.m / u.s,
        "list": [2.0] * 60,
        "float32": np.float32(2.0),
        "Decimal": Decimal(2),
    }.items():
        yield Case(f"err as {name}", lambda error=error: same_stars(v, error, v, e))


def _bad_arrays() -> dict[str, Any]:
    v = sample()
    return {
        "None": None,
        "empty": [],
        "string": "1.5",
        "strings": [str(x) for x in v],
        "bytes": b"abc",
        "bools": v > 0,
        "list with a bool": [*v[:-1], True],
        "list with a string": [*v[:-1], "3"],
        "bool Series": pd.Series(v > 0),
        "nullable bool Series": pd.Series(v > 0, dtype="boolean"),
        "string Series": pd.Series([str(x) for x in v]),
        "string-dtype Series": pd.Series([str(x) for x in v], dtype="string"),
        "object Series with a bool": pd.Series([*v[:-1], True], dtype=object),
        "date Series": pd.Series(pd.to_datetime(["2020-01-01"] * 60)),
        "DataFrame": pd.DataFrame({"v": v}),
        "Series with a gap": pd.Series([*v[:-1], None]),
        "Int64 with a gap": pd.Series([*range(59), pd.NA], dtype="Int64"),
        "complex": v + 1j,
        "dates": np.full(60, np.datetime64("2020-01-01")),
        "datetime objects": [datetime.date(2020, 1, 1)] * 60,
        "set": set(v.tolist()),
        "dict": {"v": v},
        "generator": (x for x in v),
        "structured": np.zeros(60, dtype=[("v", float)]),
        "2-d": v.reshape(6, 10),
        "nested lists": [v.tolist()],
        "ragged": [[1.0, 2.0], [3.0]],
        "0-d": np.array(5.0),
        "10**400": [*v[:-1], 10**400],
        "10**5000": [*v[:-1], 10**5000],
        "kg": v * u.kg,
        "deg": v * u.deg,
        "magnitudes": u.Magnitude(v),
        "list of km/s and kg": [*(x * KMS for x in v[:-1]), 1.0 * u.kg],
        "list of km/s and floats": [*(x * KMS for x in v[:-1]), 1.0],
        "list of floats and km/s": [*v[:-1], 1.0 * KMS],
        "list of arrays with units": [v[:2] * KMS, v[:3] * KMS],
        "masked": np.ma.masked_array(v, v > 10),
        "masked column": MaskedColumn(v, unit="km/s", mask=v > 10),
        "string column": Column(["a"] * 60, unit="km/s"),
        "bool column": Column(v > 0, unit="km/s"),
        "unknown unit": Column(v, unit=u.Unit("furlongs", parse_strict="silent")),
        "NaN": np.where(np.arange(60) == 7, np.nan, v),
        "inf": np.where(np.arange(60) == 7, np.inf, v),
        "-inf": np.where(np.arange(60) == 7, -np.inf, v),
        "long doubles beyond": np.append(v[:-1].astype(np.longdouble), np.longdouble("1e4000")),
        "class": int,
        "function": len,
        "object": object(),
    }


STAR_DOORS: dict[str, Callable[[Any, Any], None]] = {}


def _door(name: str) -> Callable[[Callable[[Any, Any], None]], Callable[[Any, Any], None]]:
    def keep(function: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        STAR_DOORS[name] = function
        return function

    return keep


@_door("add_data")
def _add_data(vel: Any, err: Any) -> None:
    solver = KinematicSolver()
    solver.setup_grid(**GRID)
    solver.add_data(vel, err)


@_door("suggest_grid")
def _suggest(vel: Any, err: Any) -> None:
    suggest_grid([{"vel": vel, "err": err}], min_stars=1)


@_door("fit_all_bins")
def _fit_all(vel: Any, err: Any) -> None:
    bins = [{"vel": vel, "err": err}]
    fit_all_bins(bins, GRID, {"num_samples": 50}, min_stars=1, progress=False, n_jobs=1)


@_door("plot_losvd")
def _plot(vel: Any, err: Any) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    edges = np.linspace(-80.0, 80.0, 33)
    pdf = np.full((4, 32), 1 / 32)
    try:
        plotting.plot_losvd(edges, pdf, vel=vel, err=err, gaussian=True)
    finally:
        plt.close("all")


def bad_stars() -> Iterator[Case]:
    """Bad velocities, bad errors, at every door that takes stars."""
    for door, call in STAR_DOORS.items():
        for name in _bad_arrays():
            # Made anew, as generators are used up.
            yield Case(
                f"{door}: vel {name}", lambda call=call, name=name: _refused(call, _bad_arrays()[name], 2.0)
            )
            if name not in ("0-d", "2-d"):
                yield Case(
                    f"{door}: err {name}",
                    lambda call=call, name=name: _refused(call, sample(), _bad_arrays()[name]),
                )


def _refused(call: Callable[..., Any], *arguments: Any) -> bool:
    """False if nothing was raised: it should have been."""
    call(*arguments)
    return False


def impossible_stars() -> Iterator[Case]:
    """One star, or many, of a value that none can have."""
    values = [-9999.0, 9999.0, -99999.0, 3e5, -1e6, 1e10, 1e30, -1e100, 1e200, 1e308]
    for door, call in STAR_DOORS.items():
        for value in values:
            for count in (1, 5, 30):
                vel = sample(90)
                vel[-count:] = value
                yield Case(f"{door}: {count} x vel {value:g}", lambda c=call, v=vel: _refused(c, v, 2.0))
        for value in (5e-324, 1e-300, 1e-155, 1e-100, 1e-20, 1e-11, 1e10, 1e30, 1e155, 1e200, 1e308):
            err = np.full(60, 2.0)
            err[7] = value
            yield Case(f"{door}: err {value:g}", lambda c=call, e=err: _refused(c, sample(), e))
        for value in (0.0, -0.0, -1.0, -9999.0, -1e300):
            err = np.full(60, 2.0)
            err[7] = value
            yield Case(f"{door}: err {value:g}", lambda c=call, e=err: _refused(c, sample(), e))


def far_stars() -> Iterator[Case]:
    """One star far out: told, or of no consequence."""
    for factor in (5, 8, 12, 20, 50, 90):
        for n in (12, 60, 300):
            vel = sample(n)
            vel[4] = 10.0 * factor
            yield Case(f"{factor} dispersions, {n} stars", lambda v=vel: _near(v, 2.0, 10.0))


def _near(vel: Any, err: Any, sigma: float, scale: float = 1.0, center: float = 0.0) -> bool:
    """Whether the dispersion is right to five error bars, and its error bar to a factor of three."""
    found, bar = dispersion(vel, err, scale, center)
    n = np.size(vel)
    expected = sigma / np.sqrt(2 * n) * (1 + (np.median(err) / (scale * sigma)) ** 2)
    return abs(found - sigma) < 5 * max(bar, expected) and expected / 3 < bar < 4 * expected


def scaled() -> Iterator[Case]:
    """The same stars in other units: from far below to far above what velocities are."""
    for exponent in (
        -320,
        -300,
        -200,
        -160,
        -100,
        -20,
        -12,
        -9,
        -7,
        -5,
        -3,
        -1,
        1,
        2,
        3,
        4,
        5,
        10,
        100,
        154,
        200,
        300,
    ):
        factor = 10.0**exponent
        with np.errstate(over="ignore", under="ignore"):
            vel, err = factor * sample(), factor * np.full(60, 2.0)
        yield Case(f"x 1e{exponent}", lambda v=vel, e=err, f=factor: _near(v, e, 10.0, f))


def shifted() -> Iterator[Case]:
    """A small dispersion at a large velocity."""
    for center in (1e2, 1e4, 1e5, 2.9e5, 1e7, 1e10, 1e15):
        for scale in (1e2, 1.0, 1e-2, 1e-4, 1e-6, 1e-8):
            vel = center + scale * sample()
            yield Case(
                f"{10 * scale:g} around {center:g}",
                lambda v=vel, s=scale, c=center: _near(v, np.full(60, 2.0 * s), 10.0, s, c),
            )


def degenerate() -> Iterator[Case]:
    """One star, equal stars, two values: finite answers that respect the errors."""
    samples: dict[str, Any] = {
        "one star": [3.0],
        "two stars": [3.0, -4.0],
        "two equal stars": [3.0, 3.0],
        "equal stars": np.full(50, 3.0),
        "zeros": np.zeros(50),
        "minus zeros": -np.zeros(50),
        "two values": np.repeat([-5.0, 5.0], 25),
        "two values, uneven": np.repeat([-5.0, 5.0], [40, 10]),
        "three values": np.repeat([-5.0, 0.0, 5.0], 20),
        "integers": np.round(sample()),
        "tens": np.round(sample(), -1),
        "a ramp": np.linspace(-20.0, 20.0, 40),
        "one apart": np.append(np.zeros(40), 6.0),
    }
    for name, vel in samples.items():
        for err in (1e-6, 1e-2, 2.0, 30.0):
            yield Case(f"{name}, errors {err:g}", lambda v=vel, e=err: _finite(v, e))


def _finite(vel: Any, err: float) -> bool:
    sigma, bar = dispersion(vel, err)
    # A bin of the grid is 4.8 km/s wide; errors of 30 leave the dispersion open.
    spread = float(np.std(vel))
    return bool(np.isfinite(sigma) and bar >= 0 and sigma < 3 * np.hypot(spread, err) + 5)


def populations() -> Iterator[Case]:
    """Two populations of any contrast are one sample, not a mistake."""
    for ratio in (3.0, 10.0, 50.0, 150.0):
        for share in (0.2, 0.4, 0.6):
            rng = np.random.default_rng(5)
            vel = np.concatenate(
                [rng.normal(0, 1, int(100 * (1 - share))), rng.normal(0, ratio, int(100 * share))]
            )
            yield Case(f"{share:.0%} {ratio:g} x wider", lambda v=vel: _add_data(v, 0.3))


_BAD_NUMBERS: dict[str, Any] = {
    "NaN": np.nan,
    "inf": np.inf,
    "-inf": -np.inf,
    "1e308": 1e308,
    "-1e308": -1e308,
    "10**400": 10**400,
    "10**5000": 10**5000,
    "string": "1",
    "bytes": b"1",
    "True": True,
    "np.True_": np.True_,
    "None": None,
    "list": [1.0],
    "array": np.array([1.0]),
    "0-d bool": np.array(True),
    "0-d string": np.array("1"),
    "complex": 1j,
    "kg": 1.0 * u.kg,
    "array of km/s": np.array([1.0, 2.0]) * KMS,
    "masked": np.ma.masked,
    "date": datetime.date(2020, 1, 1),
    "object": object(),
    "dict": {},
    "Series": pd.Series([1.0, 2.0]),
}
_BAD_COUNTS: dict[str, Any] = _BAD_NUMBERS | {
    "1.5": 1.5,
    "0-d": np.array(5),
    "-1": -1,
    "float": 5.0,
    "Quantity": 5 * u.one,
}


def scalars() -> Iterator[Case]:
    """Bad numbers for every argument that is one."""

    def solver(**options: Any) -> None:
        found = KinematicSolver()
        found.setup_grid(**GRID)
        found.add_data(sample(), 2.0)
        found.run(**{"num_samples": 20, **options})

    numbers: dict[str, Callable[[Any], Any]] = {
        "setup_grid center": lambda x: KinematicSolver().setup_grid(x, 100.0, 11),
        "setup_grid width": lambda x: KinematicSolver().setup_grid(0.0, x, 11),
        "Gaussian v": lambda x: simulate.Gaussian(x, 10.0),
        "Gaussian sigma": lambda x: simulate.Gaussian(0.0, x),
        "observe err": lambda x: simulate.observe(simulate.Gaussian(0.0, 10.0), 10, x, 0),
        "cluster v_rot": lambda x: simulate.rotating_cluster(n_stars=100, v_rot=x),
        "cluster position_angle": lambda x: simulate.rotating_cluster(n_stars=100, position_angle=x),
        "Settings rhat_max": lambda x: veldist.Settings(rhat_max=x),
        "Settings ess_fraction": lambda x: veldist.Settings(ess_fraction=x),
        "Settings merge_tolerance": lambda x: veldist.Settings(merge_tolerance=x),
        "PriorSettings tail_scale": lambda x: veldist.PriorSettings(tail_scale=x),
        "PriorSettings small": lambda x: veldist.PriorSettings(small=x),
        "PriorSettings null_weight": lambda x: veldist.PriorSettings(null_weight=x),
        "PriorSettings amplitudes": lambda x: veldist.PriorSettings(amplitudes=(x,)),
        "PriorSettings taper": lambda x: veldist.PriorSettings(taper=(x, 6.0)),
    }
    counts: dict[str, Callable[[Any], Any]] = {
        "setup_grid n_bins": lambda x: KinematicSolver().setup_grid(0.0, 100.0, x),
        "run num_samples": lambda x: solver(num_samples=x),
        "run seed": lambda x: solver(seed=x),
        "run num_warmup": lambda x: solver(num_warmup=x),
        "fit_all_bins min_stars": lambda x: fit_all_bins(
            [{"vel": sample(), "err": 2.0}], GRID, {"num_samples": 20}, x, progress=False, n_jobs=1
        ),
        "fit_all_bins seed": lambda x: fit_all_bins(
            [{"vel": sample(), "err": 2.0}], GRID, {"num_samples": 20, "seed": x}, progress=False, n_jobs=1
        ),
        "observe n": lambda x: simulate.observe(simulate.Gaussian(0.0, 10.0), x, 2.0, 0),
        "Settings n_draws": lambda x: veldist.Settings(n_draws=x),
        "Settings n_chains": lambda x: veldist.Settings(n_chains=x),
        "Settings n_steps": lambda x: veldist.Settings(n_steps=x),
        "Settings max_doublings": lambda x: veldist.Settings(max_doublings=x),
        "Settings thin": lambda x: veldist.Settings(thin=x),
    }
    for values, doors in ((_BAD_NUMBERS, numbers), (_BAD_COUNTS, counts)):
        for door, call in doors.items():
            for name, value in values.items():
                yield Case(f"{door}: {name}", lambda c=call, x=value: _refused(c, x))


def layouts() -> Iterator[Case]:
    """Mistakes in the layout of a map that is exported."""
    import tempfile

    solver = KinematicSolver()
    solver.setup_grid(**GRID)
    solver.add_data(sample(), 2.0)
    solver.run(num_samples=50)

    def export(change: Callable[[dict[str, Any]], Any]) -> None:
        metadata: dict[str, Any] = {
            "bins": [{"xbin": 0.5, "ybin": 0.5}],
            "aperture": dict.fromkeys(("x_start", "y_start", "angle_deg"), 0.0)
            | dict.fromkeys(("x_size", "y_size"), 1.0)
            | dict.fromkeys(("nx", "ny"), 1),
            "pixel_bin_ids": [1],
            "psf": {"sigma": [0.1], "weight": [1.0]},
        }
        change(metadata)
        with tempfile.TemporaryDirectory() as folder:
            veldist.write_dynamite_kinematics([solver], folder, metadata)

    places = {
        f"aperture {key}": lambda m, x, key=key: m["aperture"].update({key: x})
        for key in ("x_start", "x_size", "angle_deg", "nx")
    }
    places |= {
        "xbin": lambda m, x: m["bins"][0].update(xbin=x),
        "psf sigma": lambda m, x: m["psf"].update(sigma=[x]),
        "psf weight": lambda m, x: m["psf"].update(weight=[x]),
        "pixel_bin_ids": lambda m, x: m.update(pixel_bin_ids=[x]),
    }
    for place, put in places.items():
        for name, value in (_BAD_COUNTS if place.endswith("nx") else _BAD_NUMBERS).items():
            if place == "pixel_bin_ids" and name in ("list", "array"):
                continue  # of the shape (ny, nx)
            yield Case(
                f"{place}: {name}",
                lambda put=put, x=value: _refused(export, lambda m: put(m, x)),
            )
    typos: dict[str, Callable[[dict[str, Any]], Any]] = {
        "psf_fwhm": lambda m: m.update(psf_fwhm=1.0),
        "Psf beside psf": lambda m: m.update(Psf={}),
        "angle beside angle_deg": lambda m: m["aperture"].update(angle=30.0),
        "fwhm beside sigma": lambda m: m["psf"].update(fwhm=[1.0]),
        "no psf": lambda m: m.pop("psf"),
        "psf a number": lambda m: m.update(psf=0.1),
        "bins a dict": lambda m: m.update(bins={}),
        "ids ragged": lambda m: m.update(pixel_bin_ids=[[1], [1, 2]]),
        "ids bool": lambda m: m.update(pixel_bin_ids=np.array([True])),
    }
    for name, change in typos.items():
        yield Case(name, lambda c=change: _refused(export, c))


FAMILIES: dict[str, Callable[[], Iterator[Case]]] = {
    "containers and units": containers,
    "bad stars": bad_stars,
    "impossible stars": impossible_stars,
    "far stars": far_stars,
    "scaled": scaled,
    "shifted": shifted,
    "degenerate": degenerate,
    "populations": populations,
    "scalars": scalars,
    "layouts": layouts,
}


def main() -> None:
    """Write the table, and what is wrong."""
    bad: list[str] = []
    sys.stdout.write(f"{'family':24} tried right taught wrong deep\n")
    for family, cases in FAMILIES.items():
        count: Counter[str] = Counter()
        for case in cases():
            found = judge(case)
            count[found.split(":")[0]] += 1
            if found not in ("right", "taught"):
                bad.append(f"{family}: {case.name}: {found}")
        kinds = [count[kind] for kind in ("right", "taught", "wrong", "deep")]
        sys.stdout.write(f"{family:24} {sum(kinds):5} " + " ".join(f"{n:5}" for n in kinds) + "\n")
    sys.stdout.write("\n".join(bad) + "\n")


if __name__ == "__main__":
    main()
