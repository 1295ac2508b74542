"""
Force interleavings: one thread stops at a statement while another runs.

The docstring of each test names the change to the code that makes it fail.
"""
