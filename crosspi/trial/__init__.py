"""What is in a wheel, run on the emulated board: evidence where the audit cannot decide."""
