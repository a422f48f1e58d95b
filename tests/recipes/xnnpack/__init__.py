"""XNNPACK's tables of kernels, read and held against the kernels' names (see `tables`, `rules`)."""
