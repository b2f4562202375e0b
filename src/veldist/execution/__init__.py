"""Where the arithmetic is done: a Dask cluster, a GPU."""
