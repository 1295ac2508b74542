"""
Measure the cap with real server processes, real databases and simultaneous sign-ins.

``python -m tests.cap`` runs the whole matrix and prints a table.
"""
