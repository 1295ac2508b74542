"""A small site that uses session_limit, and the demo that `make demo` runs on it."""
