"""Pins and locks, written from what the origins have: an update is one command and a diff."""
