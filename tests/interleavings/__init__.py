"""
Interleavings, each forced: a thread stops at a statement, another goes past it. The
docstring of a test names the breakage that it was seen to fail under.
"""
