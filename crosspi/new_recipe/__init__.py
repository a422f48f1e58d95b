"""A recipe from what the index and a source distribution say; nothing of either is run."""
