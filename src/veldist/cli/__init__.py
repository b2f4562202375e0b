"""The commands of ``veldist``."""
