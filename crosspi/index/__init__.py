"""The index of what is proven: its pages, who may enter it, what stands beside a wheel."""
