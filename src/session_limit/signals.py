"""
Define the signals to which a project can connect receivers.

The package sends each signal after the database commit, with ``send_robust()``. If a
receiver fails, Django logs the error and the request continues.
"""

from __future__ import annotations

from django.dispatch import Signal

session_started = Signal()
"""
This signal is sent when a session has been admitted.

The arguments are ``session``, the ``UserSession`` row; ``request``, the ``HttpRequest``
of the sign-in; and ``is_new_browser``, which is true if the user had never signed in
from this browser before.
"""

session_ended = Signal()
"""
This signal is sent when a session has ended.

The arguments are ``session``, the ``UserSession`` row; ``reason``, an ``EndReason``;
``by``, the primary key of the user who ended the session, as a string, or ``""``; and
``by_session``, the id of the session that displaced this session, or ``None``.
"""

limit_reached = Signal()
"""
This signal is sent when a sign-in has met the session limit.

The arguments are ``user``; ``scope``; ``limit``; ``at_limit``, the ``AtLimit`` that was
applied; and ``session_id``, the id of the admitted session, or ``None`` if the sign-in
was refused.
"""

play_started = Signal()
"""
This signal is sent when a play (one playback of limited content) has been admitted.

The only argument is ``play``, the ``Play`` row.
"""

play_ended = Signal()
"""
This signal is sent when a play (one playback of limited content) has ended.

A play also ends if it is not renewed in time or if its session ends. The package then
sends the signal only when another play needs the place. It sends no signal if
``prunesessions`` records the end first.

The arguments are ``play``, the ``Play`` row; ``reason``, a ``PlayEndReason``; and
``by_play``, the id of the play that displaced this play, or ``None``.
"""

play_limit_reached = Signal()
"""
This signal is sent when a play has met the limit of simultaneous plays.

The arguments are ``user``; ``scope``; ``limit``; ``at_limit``, the ``AtLimit`` that was
applied; and ``play_id``, the id of the admitted play, or ``None`` if the play was
refused.
"""
