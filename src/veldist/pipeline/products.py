"""What one pass over the bins makes of each: all that pictures, tables, exports and the report need of it."""

from __future__ import annotations

from dataclasses import dataclass

from veldist._support.arrays import Floats
from veldist.export.rows.losvds import LosvdRow, losvd_row
from veldist.fits.draws import fit_draws
from veldist.fits.fit import Fit
from veldist.report.losvds import BinEntry, bin_entry
from veldist.summaries.maps import DEFAULT_ORDER
from veldist.summaries.one_bin import BinSummary, summarise_bin
from veldist.summaries.strip import Strip, strip_of
from veldist.summaries.tables import BinState, bin_state

__all__ = ["BinProducts", "make_products"]


@dataclass(frozen=True)
class BinProducts:
    """All that is written of one bin."""

    state: BinState  # number of stars, and whether the fit converged
    summary: BinSummary  # its summaries, for maps and tables
    strip: Strip  # its LOSVD as it is drawn
    entry: BinEntry  # its entry in the report
    row: LosvdRow | None  # its row in the files of an orbit code
    membership: Floats | None  # (n_stars,): posterior memberships of its stars; None where all are members


def make_products(index: int, fit: Fit) -> BinProducts:
    """Make everything of a bin, in the process that has just fitted or read it.

    Parameters
    ----------
    index : int
        The bin, counted from 0.
    fit : Fit
        Its fit.
    """
    return BinProducts(
        state=bin_state(fit),
        summary=summarise_bin(index, fit, DEFAULT_ORDER),
        strip=strip_of(*fit_draws(fit, index), index + 1, fit.n_stars, membership=fit.membership),
        entry=bin_entry(index, fit),
        row=losvd_row(index, fit),
        membership=fit.membership,
    )
