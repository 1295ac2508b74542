"""
Signals to which a project can connect receivers.

All are sent after the database commit, with ``send_robust()``. If a receiver fails,
Django logs the error and the request continues.
"""

from __future__ import annotations

from django.dispatch import Signal

session_started = Signal()
"""
A session was admitted.

Arguments: ``session``, its ``UserSession``; ``request``, the ``HttpRequest`` of the
sign-in; ``is_new_browser``, whether it is the user's first from this browser.
"""

session_ended = Signal()
"""
A session ended.

Arguments: ``session``, its ``UserSession``; ``reason``, an ``EndReason``; ``by``, the
primary key, as a string, of the user who ended it, or ``""``; ``by_session``, the id of
the session that displaced it, or ``None``.
"""

limit_reached = Signal()
"""
A sign-in met the limit.

Arguments: ``user``; ``scope``; ``limit``; ``at_limit``, the ``AtLimit`` that was
applied; ``session_id``, the id of the admitted session, or ``None`` if the sign-in was
refused.
"""

play_started = Signal()
"""
A play was admitted.

Arguments: ``play``, its ``Play``.
"""

play_ended = Signal()
"""
A play ended.

If a play lapses or its session ends, the signal is sent only when another play needs
the place, and not at all if ``prunesessions`` comes first.

Arguments: ``play``, its ``Play``; ``reason``, a ``PlayEndReason``; ``by_play``, the id
of the play that displaced it, or ``None``.
"""

play_limit_reached = Signal()
"""
A play met the limit.

Arguments: ``user``; ``scope``; ``limit``; ``at_limit``, the ``AtLimit`` that was
applied; ``play_id``, the id of the admitted play, or ``None`` if the play was refused.
"""
