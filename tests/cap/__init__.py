"""
The cap, measured: real server processes, real databases, simultaneous sign-ins.

``python -m tests.cap`` runs the whole matrix and prints a table.
"""
