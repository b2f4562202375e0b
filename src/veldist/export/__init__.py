"""Files for the codes that model the LOSVDs, and readers and checks of such files.

DYNAMITE first (`veldist.export.dynamite`, `veldist.export.checks`); AGAMA's Forstand, JAM and GravSphere;
FITS cubes.
"""

from lazy_loader import attach_stub

# Names are imported when first used; the stub beside this file lists them.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
