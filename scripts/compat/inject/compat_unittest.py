"""Write the outcome of each test of unittest or Django to a file."""

from __future__ import annotations

import json
import os
import unittest
from pathlib import Path
from typing import Any


class RecordingResult(unittest.TextTestResult):
    """A test result that records the worst outcome of each test, with its message."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outcomes: dict[str, tuple[str, str]] = {}

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        self.outcomes.setdefault(test.id(), ("passed", ""))

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self.outcomes.setdefault(test.id(), ("skipped", reason))

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self.outcomes[test.id()] = ("failed", self.failures[-1][1])

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self.outcomes[test.id()] = ("error", self.errors[-1][1])

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self.outcomes.setdefault(test.id(), ("expected failure", ""))

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self.outcomes[test.id()] = ("unexpected success", "")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            found = "".join(str(part) for part in err[1:2])
            self.outcomes[test.id()] = ("failed", f"{subtest}: {found}")

    def stopTestRun(self) -> None:
        super().stopTestRun()
        # pytest runs unittest's tests without this class.
        Path(os.environ["COMPAT_OUTCOMES"]).write_text(json.dumps(self.outcomes))


def record() -> None:
    """Record the outcomes of test runners that do not name a class of results."""
    unittest.TextTestRunner.resultclass = RecordingResult
