"""What the YAML says, and its faults."""
