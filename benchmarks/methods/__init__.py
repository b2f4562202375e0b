"""The methods of the accuracy contest, one a file. All obey `benchmarks.methods.base.Method`."""
