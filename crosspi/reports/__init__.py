"""What users read of results: a build's, a matrix', and when a cell was last proven."""
