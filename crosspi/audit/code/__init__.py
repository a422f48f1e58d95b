"""Reading instructions: which bytes of a file are code, and what a CPU needs to run them."""
