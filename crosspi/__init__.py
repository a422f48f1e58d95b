"""crosspi builds Raspberry Pi wheels with a cross-toolchain and proves that they run."""

__version__ = "0.1.0"
