"""Builders: a recipe's build section becomes commands for a container. One module a build system.

A builder only says what is to be run; `compiling` runs it. Each has two functions:
`compile_commands` (what does not see Python, once a toolchain; may be empty) and
`python_commands` (per Python; fills the wheel's tree).
"""
