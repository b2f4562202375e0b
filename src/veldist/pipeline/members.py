"""Members and contaminants of a catalogue: learnt from all its stars, before these are sorted into bins."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from veldist._support.arrays import Floats
from veldist.fits.stars import check_possible
from veldist.models.contaminants import Contaminant, member_frame
from veldist.models.contaminants.density import refuse_blunders
from veldist.sky.placeholders import refuse_placeholders

if TYPE_CHECKING:
    from veldist.pipeline.fit import PipelineSettings
    from veldist.sky.catalog import StarCatalog

__all__ = ["check_velocities", "expected_members", "population_notes", "prior_of", "with_contaminant"]

logger = logging.getLogger(__name__)


def check_velocities(catalog: StarCatalog, settings: PipelineSettings) -> None:
    """Refuse what is no velocity; beside contaminants, which may have any, placeholders only.

    Raises
    ------
    ValueError
        With the rows in the user's table.
    """
    others = settings.contaminant is not None
    check_possible(catalog.vel, catalog.err, catalog.rows, others=others)
    if others:
        refuse_placeholders(catalog.vel, "vel", rows=catalog.rows)
    if settings.contaminant == "learn":
        refuse_blunders(catalog.vel, catalog.rows)


def prior_of(catalog: StarCatalog, settings: PipelineSettings) -> Floats | None:
    """Probabilities of membership that are known before the velocities are looked at.

    Raises
    ------
    ValueError
        If they are asked for, and the catalogue has none.
    """
    if not settings.prior_membership:
        return None
    if catalog.membership is None:
        raise ValueError(
            "prior_membership needs a catalogue with a membership column: read_catalog takes it."
        )
    return catalog.membership


def with_contaminant(catalog: StarCatalog, settings: PipelineSettings) -> PipelineSettings:
    """The settings with the contaminant that is learnt from all stars, if it is to be; tells what it is."""
    if settings.contaminant == "learn":
        found = Contaminant.learn(catalog.vel, catalog.err, settings.v_guess)
        settings = replace(settings, contaminant=found)
    for note in population_notes(settings).values():
        logger.info("%s", note)
    return settings


def expected_members(catalog: StarCatalog, settings: PipelineSettings, prior: Floats | None) -> Floats | None:
    """Probability of every star to be a member, (n_stars,), for the spatial bins; None if all are.

    What is known beforehand, or else what the velocities tell of one Gaussian beside the contaminants.
    """
    contaminant = settings.contaminant
    if contaminant is None or contaminant == "learn" or prior is not None:
        return prior
    density = contaminant.density(catalog.vel, catalog.err)
    frame = member_frame(catalog.vel, catalog.err, density)
    return frame.membership(catalog.vel, catalog.err, density)


def population_notes(settings: PipelineSettings) -> dict[str, str]:
    """What is said of members, contaminants and errors in reports and files; empty if there is nothing."""
    notes = {}
    contaminant = settings.contaminant
    if contaminant is not None:
        known = "; with probabilities of membership from the table" if settings.prior_membership else ""
        # A class of the user's own may have nothing to say of itself.
        plain = type(contaminant).__str__ is object.__str__
        said = f"contaminant: {type(contaminant).__name__}" if plain else str(contaminant)
        notes["populations"] = said + known
    if settings.error_model is not None:
        notes["errors"] = str(settings.error_model)
    return notes
