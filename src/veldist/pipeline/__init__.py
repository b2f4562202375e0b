"""From a star catalogue to a folder of results."""
