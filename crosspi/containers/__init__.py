"""The engine, and what is run on it: images, containers, and what a key knows of them."""
