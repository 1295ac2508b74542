"""A failure that happens all the time is logged once in a while."""

import logging

from session_limit.utils import log_once
from session_limit.utils.log_once import RateLimitedLog


def test_one_record_for_many(caplog, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("session_limit.utils.log_once.time.monotonic", lambda: now[0])
    failure = RateLimitedLog("It failed.")

    def fail():
        failure.log(OSError("away"))

    with caplog.at_level(logging.ERROR, "session_limit"):
        for _ in range(1_000):
            fail()
        now[0] += log_once.EVERY
        fail()
        fail()
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "It failed. (0 more since the last record.)",
        "It failed. (999 more since the last record.)",
    ]
    assert all(record.exc_info for record in caplog.records)
