"""How fast something is on a board: instructions, which are the same in every run."""
