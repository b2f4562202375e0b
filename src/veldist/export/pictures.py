"""Pictures of what was exported."""

from veldist.figures.aperture import plot_aperture

__all__ = ["plot_aperture"]
