"""Star catalogues, and the spatial bins on the sky."""
