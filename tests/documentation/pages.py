"""Read the code blocks and quotations of a Markdown page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\S*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
# The first line of a block that is a file: "# mysite/urls.py" or "{# a.html #}".
FILE = re.compile(r"(?:#|\{#) (?P<file>[\w./]+\.\w+)\b")
QUOTATION = re.compile(r"(?:^ *>.*\n)+", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A code block: its language, its text, and the file that its first line names."""

    language: str
    text: str
    file: str | None


def blocks(text: str) -> list[Block]:
    """Return the code blocks of a page, in order, without their indentation."""
    found = []
    for match in FENCE.finditer(text):
        indent = match["indent"]
        lines = [line.removeprefix(indent) for line in match["text"].splitlines(True)]
        code = "".join(lines)
        named = FILE.match(code)
        found.append(Block(match["language"], code, named["file"] if named else None))
    return found


def quotations(text: str) -> list[str]:
    """Return the quotations of a page as text, without line breaks and emphasis."""
    without_code = FENCE.sub("", text)
    marks = re.compile(r"^ *>|\*\*", re.MULTILINE)
    return [
        " ".join(marks.sub("", quotation).split())
        for quotation in QUOTATION.findall(without_code)
    ]


def sections(text: str) -> dict[str, str]:
    """Return the text below each second-level heading of a page."""
    _, *parts = re.split(r"^## (.+)$", FENCE.sub(_hide, text), flags=re.MULTILINE)
    return {
        heading: part.replace("\0", "##")
        for heading, part in zip(parts[::2], parts[1::2], strict=True)
    }


def _hide(match: re.Match[str]) -> str:
    """Return a code block in which no line looks like a heading."""
    return re.sub(r"^##", "\0", match[0], flags=re.MULTILINE)
