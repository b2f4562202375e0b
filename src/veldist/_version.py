"""The version, in a place of its own: nobody imports the package to name it."""

__version__ = "0.1.0"
