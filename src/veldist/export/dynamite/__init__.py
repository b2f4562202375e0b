"""The files of a DYNAMITE input: written, read, described."""
