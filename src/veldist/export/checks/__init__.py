"""Rules for the files of a DYNAMITE input."""
