"""The program ``veldist``, prepared for Ctrl-C while its commands are imported."""

from veldist.cli.interrupts import told

with told():
    from veldist.cli.commands import app

__all__ = ["app"]
