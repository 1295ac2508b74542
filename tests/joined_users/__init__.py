"""Tests of the user who is read in the statement that reads the session."""
