"""Star catalogues, and the spatial bins on the sky."""

from lazy_loader import attach_stub

# Names are imported when first used; the stub beside this file lists them.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
