"""Warnings of many fits, told once for each kind."""

from __future__ import annotations

import builtins
import warnings
from collections import defaultdict
from collections.abc import Iterable

from veldist import errors
from veldist._support.validate import name_first

__all__ = ["Notes"]


class Notes:
    """Warnings of the bins.

    Parameters
    ----------
    n_bins : int
        Number of bins fitted.
    """

    def __init__(self, n_bins: int) -> None:
        self._n_bins = n_bins
        self._texts: dict[type[Warning], dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))

    def add(self, index: int, issued: Iterable[tuple[str, str]]) -> None:
        """Take down what one bin's fit said: category and text."""
        for category, text in issued:
            self._texts[_find_category(category)][index].append(text)

    def warn(self, stacklevel: int) -> None:
        """Tell all."""
        for category, texts in self._texts.items():
            warnings.warn(_join_notes(texts, self._n_bins), category, stacklevel=stacklevel)


def _find_category(name: str) -> type[Warning]:
    """A warning's category by its name; one that is not ours or Python's counts as a `UserWarning`."""
    found = getattr(errors, name, None) or getattr(builtins, name, None)
    return found if isinstance(found, type) and issubclass(found, Warning) else UserWarning


def _join_notes(texts: dict[int, list[str]], n_bins: int, limit: int = 5) -> str:
    """One text for the warnings of one kind from many bins."""
    shown = "".join(f"\n  bin {k}: {' '.join(texts[k])}" for k in sorted(texts)[:limit])
    rest = f"\n  ... and {len(texts) - limit} more" if len(texts) > limit else ""
    return f"{len(texts)} of {n_bins} bins ({name_first(sorted(texts))}):{shown}{rest}"
