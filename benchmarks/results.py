"""
What was measured, as JSON, a file for each benchmark: what is published in
``benchmarks/results``, what a quick run found in ``.cache/benchmarks``.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

PUBLISHED = Path(__file__).resolve().parent / "results"
QUICK = PUBLISHED.parents[1] / ".cache" / "benchmarks"


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


def save(name: str, result: dict[str, Any], directory: Path = PUBLISHED) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    plain = json.loads(json.dumps(result, default=_plain))
    text = json.dumps(_rounded(plain), indent=1)
    (directory / f"{name}.json").write_text(f"{text}\n")


def load(name: str, directory: Path = PUBLISHED) -> dict[str, Any] | None:
    """Return what was measured last, or ``None`` if it never was."""
    file = directory / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else None
