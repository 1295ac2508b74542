"""The project that the servers serve, with any contender."""
