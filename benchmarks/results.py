"""What was measured, as JSON: a file for each benchmark."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).resolve().parent / "results"


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"{value!r} is no figure")


def _rounded(value: Any) -> Any:
    """Four significant digits: what follows is noise, and a diff's."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return value


def save(name: str, result: dict[str, Any]) -> Path:
    file = DIRECTORY / f"{name}.json"
    text = json.dumps(
        _rounded(json.loads(json.dumps(result, default=_plain))), indent=1
    )
    file.write_text(f"{text}\n")
    return file


def load(name: str) -> dict[str, Any] | None:
    """Return what was measured last, or ``None`` if it never was."""
    file = DIRECTORY / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else None
