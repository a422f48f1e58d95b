"""The way of a wheel, one module a kind of step: its key, and the call that does it.

In order: source, image, part, python, toolchain, compiling, wheel, audit, smoke.
"""
