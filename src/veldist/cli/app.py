"""The program ``veldist``, prepared for Ctrl-C and a lack of memory while its commands are imported."""

from veldist.cli.interrupts import told
from veldist.cli.memory import enough

with told(), enough():
    from veldist.cli.commands import app

__all__ = ["app"]
