"""
What a project can listen to. Receivers run after the commit, and one that fails is
logged and fails nothing else.
"""

from __future__ import annotations

from django.dispatch import Signal

session_started = Signal()
"""
A session was admitted. ``session``: its ``UserSession``; ``request``;
``is_new_browser``: whether its user has not signed in from this browser before.
"""

session_ended = Signal()
"""
A session ended, however. ``session``: its ``UserSession``; ``reason``: a
``UserSession.Reason``; ``by``: the primary key, as a string, of the user who ended it,
or ``""``; ``by_session``: the id of the session that displaced it, or ``None``.
"""

limit_reached = Signal()
"""
A sign-in met the limit. ``user``; ``scope``; ``limit``; ``at_limit``: what was done
about it; ``session_id``: the id of the session admitted, or ``None`` where it was
refused.
"""

play_started = Signal()
"""A play was admitted. ``play``: its ``Play``."""

play_ended = Signal()
"""
A play ended, and somebody knows it: one that nobody stops is found when its place is
needed, or pruned without a word. ``play``: its ``Play``; ``reason``: a ``Play.Reason``;
``by_play``: the id of the play that displaced it, or ``None``.
"""

play_limit_reached = Signal()
"""
A play met the limit. ``user``; ``scope``; ``limit``; ``at_limit``: what was done about
it; ``play_id``: the id of the play admitted, or ``None`` where it was refused.
"""
