"""Smoke tests: a wheel is installed and used on an emulated board."""
