"""
Force interleavings: one thread stops at a statement, and another overtakes it.

The docstring of each test names the change to the code that makes it fail.
"""
