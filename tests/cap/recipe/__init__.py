"""
One session per user, as the tutorials write it: the harness's own test.

It works in a demo. A harness that finds nothing wrong with it measures nothing.
"""
