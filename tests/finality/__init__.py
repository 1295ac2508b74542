"""
Test whether an ended session stays ended, and an admitted one stays.

Real server processes serve this package on every session engine, or an alternative.
There are three experiments, each a module:

- ``under_load``: a browser sends requests without pause while another signs in to its
  account;
- ``at_once``: many browsers sign in at the same moment;
- ``in_flight``: a request that rotates its session's key is held while another browser
  signs in.

``make finality`` runs them for longer than the tests. ``judge`` defines violations.
"""
