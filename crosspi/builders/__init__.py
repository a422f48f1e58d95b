"""Builders: a recipe's build section becomes commands for a container. One module a build system.

A builder only says what is to be run; `steps/` runs it. Each has `compile_commands` (what does not
see Python, once a toolchain; may be empty), and `python_commands` (per Python; fills the wheel's
tree) or `prefix_commands` (once a toolchain; fills the tree of a library or archive), or both.
"""
