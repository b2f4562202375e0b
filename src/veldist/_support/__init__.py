"""Checks at the door, parallel tasks, files: what every floor needs and knows no star."""
