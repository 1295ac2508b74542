"""
Does what has ended stay ended, and does what was admitted stay? Measured through real
server processes, for this package on every session engine and for every alternative.

Three experiments, each a module:

- ``under_load``: a browser hammers while another signs in to the same account;
- ``at_once``: many browsers sign in at the same moment;
- ``in_flight``: a change of password is under way while another browser signs in.

``python -m benchmarks.truth`` runs them. What they count is in ``results``, and what is
held against whom in ``judge``.
"""
