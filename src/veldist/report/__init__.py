"""One HTML file that shows a map of LOSVDs: maps, the LOSVD of every bin, and a table."""

from __future__ import annotations

from veldist.report.write import write_report

__all__ = ["write_report"]
