r"""The LOSVD of the members of a sample, beside contaminants, and of stars whose errors are not one Gaussian.

Members are the cells of the LOSVD, contaminants a cell more in the same softmax, whose column is their
density at each star, error included: :math:`p(y_i) = f\,(M w)_i + (1 - f)\, b_i`. The prior of the member
fraction f is flat, whatever the shape of the LOSVD: two rows of the likelihood hold f and 1 - f themselves.

With probabilities :math:`p_i` of membership, known beforehand from positions, colours or metallicities, what
counts is the density of a velocity *given* all else that is known of the star,

.. math:: \frac{p_i (M w)_i + (1 - p_i)\, k\, b_i}{p_i + (1 - p_i)\, k} , \qquad k = (1 - f) / f ,

with odds that may be wrong by a factor k in all stars alike. The denominator is a row of weight -1. Without
it the softmax would take the probabilities themselves for a measurement.

A star whose error is one of several has the mean of the densities for each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from veldist._support.arrays import Floats
from veldist.inference import Blocks, Evaluator, Likelihood, Monitor, Posterior, Settings, infer
from veldist.inference.factor import fold
from veldist.inference.laplace import find_modes
from veldist.models.contaminants.em import TINY
from veldist.models.contaminants.frame import member_frame
from veldist.models.losvd.basis import PriorSettings
from veldist.models.losvd.frame import Frame, fit_frame
from veldist.models.losvd.memberships import Memberships
from veldist.models.losvd.merge import merge_stars
from veldist.models.losvd.model import LosvdModel, LosvdPosterior
from veldist.models.losvd.reach import Reach

__all__ = ["ONE_GAUSSIAN", "Sample", "fit_in_frame", "fit_members", "laplace_evidence"]

ONE_GAUSSIAN = ((1.0, 1.0, 0.0),)
"""The kernel of stars whose errors are what they are said to be."""

# Standard deviation of the log odds beyond their flat prior: none.
_FREE = 20.0
# What is flat in the share is a Gaussian so broad that it must be normalised anew: log of its width.
_FLAT = float(np.log(_FREE * np.sqrt(2.0 * np.pi)))
_CERTAIN_EVIDENCE = 1e6
# The frame's scale is right within these factors of the posterior's dispersion; else it is found again from
# that, so often. A scale that is too large leaves too much of the sample to the members.
_NARROWER, _WIDER, _REFITS = 0.8, 1.25, 3
# That of what lies within so many scales of the frame: single stars far out are no reason.
_CORE = 4.0
# For the frame, no star is a member with more certainty, and one in a thousand is neither this nor that.
_CERTAIN, _STRAY = 0.99, 1e-3
# Entries of an array held at once: 16 MB.
_CHUNK = 2_000_000
# With fewer stars nothing is said of their probabilities, which are kept so far from 0 and 1, and the log
# ratio of the two densities so close to zero.
_FEW, _CLOSE, _FAR_ODDS = 20, 1e-6, 10.0
# With more stars than this the number of members is as good as normal.
_MANY = 20_000


@dataclass(frozen=True)
class Sample:
    """Stars of which not all are members, or whose errors are not one Gaussian."""

    # (N,): Velocities and 1-sigma errors, km/s.
    vel: Floats
    err: Floats
    # (N,): Density of the contaminants at each star, error included, per km/s; None if all are members.
    contaminant: Floats | None = None
    probability: Floats | None = None  # (N,): of membership, before the velocity is looked at
    # Probability, factor and extra width (km/s, in quadrature) of the errors that a star may have.
    kernel: tuple[tuple[float, float, float], ...] = ONE_GAUSSIAN


def fit_members(
    sample: Sample,
    rng: np.random.Generator,
    settings: Settings | None = None,
    prior: PriorSettings | None = None,
    evaluator: Evaluator | None = None,
) -> LosvdPosterior:
    """Posterior of the members' LOSVD, with `Memberships`; the other arguments are those of `fit_losvd`."""
    vel, err, foreign = sample.vel, sample.err, sample.contaminant
    settings, share = settings or Settings(), 1.0
    if foreign is None:
        frame = fit_frame(vel, err)
    else:
        # A star that neither members nor contaminants explain is none that the frame must suit.
        known = None if sample.probability is None else np.minimum(sample.probability, _CERTAIN)
        least = _STRAY / (float(np.ptp(vel)) + float(err.max()))
        location, scale, share = member_frame(vel, err, np.maximum(foreign, least), prior=known)
        frame = Frame(location, scale)
    for _ in range(_REFITS):
        found = fit_in_frame(sample, frame, share, rng, settings, prior, evaluator)
        moments = found.posterior.cell_masses() @ found.cells.moments(2, -_CORE, _CORE)
        moments /= moments[:, :1]
        sigma = float(np.median(np.sqrt(moments[:, 2] - moments[:, 1] ** 2)))
        if _NARROWER < sigma < _WIDER:
            break
        frame = Frame(frame.location + frame.scale * float(np.median(moments[:, 1])), frame.scale * sigma)
        if found.members is not None:
            share = float(found.members.fraction.mean())
    return found


def fit_in_frame(
    sample: Sample,
    frame: Frame,
    share: float,
    rng: np.random.Generator,
    settings: Settings,
    prior: PriorSettings | None = None,
    evaluator: Evaluator | None = None,
) -> LosvdPosterior:
    """As `fit_members`, in a given frame.

    About a fraction ``share`` of the stars are members: that decides the resolution, and where to begin.
    """
    model = _model(sample, frame, share, prior)
    rows = _Rows.of(sample, model, settings)
    likelihood, blocks, monitor = _engine_inputs(rows, model, share, evaluator)
    whole = infer(likelihood, blocks, monitor, rng, settings)
    if sample.contaminant is None:
        return LosvdPosterior(frame, model.cells, whole)
    # The members' cells by themselves are the softmax of the members' coefficients alone.
    members = replace(
        whole,
        coefficients=np.ascontiguousarray(whole.coefficients[..., :-1]),
        psi=model.psi,
        log_base=model.cells.log_base,
        prior=model.prior,
    )
    return LosvdPosterior(frame, model.cells, members, _memberships(sample, model, whole, rng))


def _evidence_of_members(sample: Sample, frame: Frame, log_evidence: float) -> float:
    """`Memberships.evidence`, kept finite."""
    assert sample.contaminant is not None
    if sample.probability is not None and (sample.probability == 1.0).any():
        return _CERTAIN_EVIDENCE
    alone = float(np.log(np.maximum(sample.contaminant, TINY)).sum())
    places = float(np.log((np.ptp(sample.vel) + frame.scale) / frame.scale))
    ratio = log_evidence + _FLAT - alone - places
    return float(np.clip(ratio, -_CERTAIN_EVIDENCE, _CERTAIN_EVIDENCE))


def laplace_evidence(sample: Sample, frame: Frame, share: float) -> float:
    """Natural logarithm of the evidence of a sample, by Laplace's approximation.

    Parameters
    ----------
    sample : Sample
        The stars.
    frame : Frame
        Location and scale of the members.
    share : float
        About their share of all.
    """
    model = _model(sample, frame, share, None)
    likelihood, blocks, _ = _engine_inputs(_Rows.of(sample, model, Settings()), model, share, None)
    folded = fold(blocks.prior)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        modes = find_modes(likelihood, blocks.psi, folded.prior, factor=folded.factor)
    joint = folded.prior.log_weights + np.asarray(modes.log_evidence)
    flat = 0.0 if sample.contaminant is None else _FLAT
    return float(np.logaddexp.reduce(joint)) + likelihood.log_reference + flat


def _model(sample: Sample, frame: Frame, share: float, prior: PriorSettings | None) -> LosvdModel:
    """The members' model, whose cells reach all stars that nothing else explains."""
    foreign, probability = sample.contaminant, sample.probability
    alone = np.ones(sample.vel.size, dtype=bool)
    if foreign is not None:
        alone = foreign == 0.0
        alone |= False if probability is None else probability == 1.0
    z, error = frame.standardise(sample.vel), sample.err / frame.scale
    far = Reach.of_cells(z[alone], error[alone])
    return LosvdModel.build(frame, max(1, round(share * z.size)), float(np.median(error)), far, prior)


@dataclass(frozen=True)
class _Rows:
    """Rows of the likelihood: densities of members (n, K) and contaminants (n,), and what they stand for."""

    design: Floats
    foreign: Floats | None
    probability: Floats | None
    weight: Floats
    log_offset: float

    @classmethod
    def of(cls, sample: Sample, model: LosvdModel, settings: Settings) -> _Rows:
        """Stars, merged where they are many and nothing is known of them beforehand."""
        n, foreign, frame = sample.vel.size, sample.contaminant, model.frame
        if n <= settings.merge_above or sample.probability is not None:
            return cls(_design(sample, model), foreign, sample.probability, np.ones(n), 0.0)
        z, error = frame.standardise(sample.vel), sample.err / frame.scale
        stars = merge_stars(z, error, model.cells.edges, settings.merge_tolerance)
        few = replace(sample, vel=frame.velocity(stars.z), err=frame.scale * stars.error)
        design, weight, log_offset = _design(few, model), stars.weight, stars.log_offset
        if foreign is not None and stars.box is not None:
            with np.errstate(divide="ignore"):
                foreign = np.exp(np.bincount(stars.box, np.log(foreign)) / weight)
            # Stars that no cell can explain say how many they are, and no more.
            far = ~design.any(axis=1)
            if far.any():
                log_offset += float(weight[far] @ np.log(foreign[far]))
                design = np.concatenate([design[~far], np.zeros((1, design.shape[1]))])
                foreign, weight = np.append(foreign[~far], 1.0), np.append(weight[~far], weight[far].sum())
        return cls(design, foreign, None, weight, log_offset)


def _design(sample: Sample, model: LosvdModel) -> Floats:
    """Density of each star given each cell of the members', (N, K), per km/s."""
    parts = [(a, np.hypot(factor * sample.err, extra)) for a, factor, extra in sample.kernel]
    return sum((a * model.design(sample.vel, err) for a, err in parts), start=np.zeros(()))


def _engine_inputs(
    rows: _Rows, model: LosvdModel, share: float, evaluator: Evaluator | None
) -> tuple[Likelihood, Blocks, Monitor]:
    """What the engine asks for: members first, one cell of contaminants after them."""
    blocks, monitor = model.blocks, model.monitor
    design, weight = rows.design, rows.weight
    if rows.foreign is not None:
        blocks = _beside_contaminants(blocks, share)
        monitor = Monitor.of_blocks(blocks, [monitor, None], ["member fraction", None])
        one, other = np.ones(model.cells.log_base.size), np.ones(1)
        shares = np.stack([np.append(one, 0.0), np.append(0.0 * one, other)])
        if rows.probability is None:
            design = np.concatenate([design, rows.foreign[:, None]], axis=1)
        else:
            p = rows.probability[:, None]
            design = np.concatenate([p * design, (1.0 - p) * rows.foreign[:, None]], axis=1)
            known = np.concatenate([np.repeat(p, one.size, axis=1), 1.0 - p], axis=1)
            design, weight = np.concatenate([design, known]), np.concatenate([weight, -weight])
        design, weight = np.concatenate([design, shares]), np.append(weight, [1.0, 1.0])
    likelihood = Likelihood.from_design(design, blocks.log_center, weight, rows.log_offset, evaluator)
    return likelihood, blocks, monitor


def _beside_contaminants(members: Blocks, share: float) -> Blocks:
    """The members' cells, and one cell of contaminants whose log odds are free."""
    share = min(max(share, 0.01), 0.99)
    blocks = members.beside(Blocks.fixed(np.zeros(1)), float(np.log((1.0 - share) / share)), _FREE)
    # Of one mean in all components: the engine samples those as one that differ in nothing but the precision.
    mean = blocks.prior.mean.copy()
    mean[:, -1] = blocks.prior.center[-1]
    return replace(blocks, prior=replace(blocks.prior, mean=mean))


def _memberships(
    sample: Sample, model: LosvdModel, whole: Posterior, rng: np.random.Generator
) -> Memberships:
    """Who is a member in every draw."""
    assert sample.contaminant is not None
    masses = whole.cell_masses()
    members, others = masses[:, :-1], masses[:, -1:]
    fraction, n = 1.0 - others[:, 0], sample.vel.size
    number, variance, expected = np.zeros((3, fraction.size))
    probability, by_velocity = np.empty((2, n))
    step = max(1, _CHUNK // fraction.size)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        prior = np.ones(1) if sample.probability is None else sample.probability[rows]
        part = replace(sample, vel=sample.vel[rows], err=sample.err[rows])
        density, foreign = members @ _design(part, model).T, others * sample.contaminant[rows]
        by_velocity[rows] = density.mean(axis=0) / fraction.mean()
        inside = prior * density
        outside = foreign if sample.probability is None else foreign * (1.0 - prior)
        total = inside + outside
        share = np.divide(inside, total, out=np.broadcast_to(prior, total.shape).copy(), where=total > 0.0)
        probability[rows] = share.mean(axis=0)
        if n <= _MANY:
            number += np.count_nonzero(rng.random(share.shape) < share, axis=1)
        else:
            number += share.sum(axis=1)
            variance += (share * (1.0 - share)).sum(axis=1)
        if sample.probability is not None:
            known = prior * fraction[:, None]
            expected += (known / (known + (1.0 - prior) * others)).sum(axis=1)
    if n > _MANY:
        number = np.clip(np.rint(number + np.sqrt(variance) * rng.standard_normal(number.size)), 0.0, n)
    return Memberships(
        fraction=fraction if sample.probability is None else expected / n,
        number=number,
        probability=probability,
        dependence=_dependence(sample, model, by_velocity, float(probability.mean())),
        evidence=_evidence_of_members(sample, model.frame, whole.diagnostics.log_evidence),
    )


def _dependence(sample: Sample, model: LosvdModel, density: Floats, fraction: float) -> float:
    """Student's t of what `Memberships.dependence` is.

    Given who is a member, what is known beforehand does not depend on the velocity: among stars of one
    velocity the mean of its log odds is linear in the share of members there. Log odds that hold the
    velocity already grow with the log ratio of the two densities beside that.
    """
    p, foreign = sample.probability, sample.contaminant
    if p is None or foreign is None or p.size <= _FEW:
        return 0.0
    mine, theirs = fraction * density, (1.0 - fraction) * foreign
    share = mine / np.maximum(mine + theirs, TINY)
    ratio = np.log(np.maximum(density, TINY)) - np.log(np.maximum(foreign, TINY))
    known = np.stack([np.ones(p.size), share, np.clip(ratio, -_FAR_ODDS, _FAR_ODDS)], axis=1)
    inside = np.clip(p, _CLOSE, 1.0 - _CLOSE)
    log_odds = np.log(inside / (1.0 - inside))
    slope, _, rank, _ = np.linalg.lstsq(known, log_odds, rcond=None)
    left = log_odds - known @ slope
    scatter = float(left @ left) / (p.size - 3)
    if rank < 3 or scatter <= 0.0:
        return 0.0
    return float(slope[2] / np.sqrt(scatter * np.linalg.inv(known.T @ known)[2, 2]))
