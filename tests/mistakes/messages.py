"""Read what a check says."""

from __future__ import annotations

from django.core.checks import ERROR, WARNING

PREFIX = "session_limit."


def said(check, **kwargs):
    """Return the texts of the messages of ``check`` by id, each with its hint."""
    found = {}
    for message in check(**kwargs):
        assert message.msg
        assert message.hint
        level = {"E": ERROR, "W": WARNING}[message.id.removeprefix(PREFIX)[0]]
        assert message.level == level
        found.setdefault(message.id.removeprefix(PREFIX), []).append(
            f"{message.msg} {message.hint}"
        )
    return found


def the_message(check, id, **kwargs):
    """Return the text of the only message of ``check``, which has this id."""
    found = said(check, **kwargs)
    assert list(found) == [id]
    [text] = found[id]
    return text
