"""What an ELF file says: segments, symbols, build attributes; and the rules for them."""
