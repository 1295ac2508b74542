"""
A history checker: clients use several server processes while faults are injected, every
operation is recorded, and pure functions judge the recorded history.
"""
