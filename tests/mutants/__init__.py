"""
Deliberate breakages of the package, each caught by the tests that it names: a test that
cannot fail says nothing.
"""
