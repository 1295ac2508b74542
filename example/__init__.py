"""A small site that uses session_limit, and the story `make demo` plays on it."""
