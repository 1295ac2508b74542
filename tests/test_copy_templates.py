"""``manage.py copysessiontemplates``."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

import session_limit

OURS = Path(session_limit.__file__).parent / "templates"


def copy(*args, **options):
    out = StringIO()
    call_command("copysessiontemplates", *args, stdout=out, **options)
    return out.getvalue()


def files(directory):
    found = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in found}


def test_all_of_them(tmp_path):
    out = copy(tmp_path)
    copied, ours = files(tmp_path), files(OURS / "session_limit")
    assert copied == {f"session_limit/{name}": text for name, text in ours.items()}
    assert out.count("\n") == len(copied)
    assert f"Copied {tmp_path}/session_limit/ended.html\n" in out


def test_those_that_are_named(tmp_path):
    copy(tmp_path / "new", "ended.html", "tags/usage.html")
    assert set(files(tmp_path)) == {
        "new/session_limit/ended.html",
        "new/session_limit/tags/usage.html",
    }


def test_what_is_there_stays(tmp_path):
    mine = tmp_path / "session_limit" / "ended.html"
    mine.parent.mkdir()
    mine.write_text("mine")
    out = copy(tmp_path, "ended.html", "base.html")
    assert out == (
        f"Kept {mine}, which exists. Use --force to overwrite it\n"
        f"Copied {tmp_path}/session_limit/base.html\n"
    )
    assert mine.read_text() == "mine"


def test_unless_it_is_forced(tmp_path):
    mine = tmp_path / "session_limit" / "ended.html"
    mine.parent.mkdir()
    mine.write_text("mine")
    assert copy(tmp_path, "ended.html", force=True) == f"Copied {mine}\n"
    assert mine.read_bytes() == (OURS / "session_limit" / "ended.html").read_bytes()


def test_quietly(tmp_path):
    assert copy(tmp_path, verbosity=0) == ""
    assert files(tmp_path)


@pytest.mark.parametrize("name", ["endet.html", "../base.html", "/etc/passwd"])
def test_nothing_is_copied_where_a_name_is_not_one(tmp_path, name):
    with pytest.raises(CommandError, match="No such template"):
        copy(tmp_path, "base.html", name)
    assert files(tmp_path) == {}
