"""The numbers among a fit's diagnostics that are shown bin by bin: their names and meanings."""

from __future__ import annotations

__all__ = ["DIAGNOSTICS"]

DIAGNOSTICS = {
    "ess_min": "smallest effective sample size",
    "rhat_max": "largest nested R-hat",
    "pareto_k": "Pareto k of the importance weights",
    "log_evidence": "log marginal likelihood of the stars",
    "log_bayes_factor": "log Bayes factor of a non-Gaussian LOSVD",
}
"""Attributes of `veldist.inference.Diagnostics`, all without unit, and what they are."""
