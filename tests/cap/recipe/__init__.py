"""
The tutorials' recipe for one session per user, which tests the harness itself.

The recipe works in a demo. A harness that finds no fault with it measures nothing.
"""
