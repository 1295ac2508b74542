"""
Record and judge histories of the package under faults.

Clients use several server processes while faults are injected. Every operation is
recorded, and pure functions judge the recorded history.
"""
