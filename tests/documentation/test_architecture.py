"""Compare the map on the page about the architecture with the source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "session_limit"
TEXT = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
# The packages whose modules the page lists in a table.
PACKAGES = dict(re.findall(r"^### `(\w+)/`: .*\n\n((?:\|.*\n)+)", TEXT, re.MULTILINE))


def test_the_tree_names_everything_at_the_top():
    tree = re.search(r"```text\nsrc/session_limit/\n(.*?)```", TEXT, re.DOTALL)[1]
    # The names stand left of the descriptions, indented by two spaces.
    columns = [re.split(r"(?<=\S) {3,}", line.strip())[0] for line in tree.splitlines()]
    shown = {name for column in columns for name in column.split("  ") if name}
    there = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in SOURCE.iterdir()
        if not path.name.startswith("__") and path.suffix != ".typed"
    }
    assert shown == there


def test_it_has_tables():
    assert len(PACKAGES) >= 5


@pytest.mark.parametrize("package", PACKAGES)
def test_a_table_names_every_module(package):
    cells = re.findall(r"^\| (`.*?`) \|", PACKAGES[package], re.MULTILINE)
    shown = [name for cell in cells for name in re.findall(r"\w+", cell)]
    there = [path.stem for path in (SOURCE / package).glob("*.py")]
    assert sorted(shown) == sorted(name for name in there if name != "__init__")
