"""
Define the signals to which a project can connect receivers.

The package sends each signal after the database commit, with ``send_robust()``. If a
receiver fails, Django logs the error and the request continues.
"""

from __future__ import annotations

from django.dispatch import Signal

session_started = Signal()
"""
This signal is sent when a session has started.

The arguments are ``session``, the ``UserSession`` row; ``request``, the ``HttpRequest``
of the sign-in; and ``is_new_browser``, which is true if the user had never signed in
from this browser before.
"""

session_ended = Signal()
"""
This signal is sent when a session has ended.

The arguments are ``session``, the ``UserSession`` row; ``reason``, an ``EndReason``;
``by``, the primary key of the user who ended the session, as a string, or ``""`` if no
user is known; and ``by_session``, the id of the session that displaced the session, or
``None`` if no session did.
"""

limit_reached = Signal()
"""
This signal is sent after a sign-in that would exceed the session limit.

The arguments are ``user``; ``scope``, the name of the group of sessions that the limit
covers; ``limit``; ``at_limit``, the ``AtLimit`` value that was applied; and
``session_id``, the id of the new session, or ``None`` if the sign-in was refused.
"""

play_started = Signal()
"""
This signal is sent when a playback of limited content has started.

The only argument is ``play``, the ``Play`` row.
"""

play_ended = Signal()
"""
This signal is sent when a playback of limited content has ended.

A playback also ends if it is not renewed in time or if its session ends. In these
cases, the signal is sent only when the account's playbacks are counted again, and not
if the ``prunesessions`` command records the end first.

The arguments are ``play``, the ``Play`` row; ``reason``, a ``PlayEndReason``; and
``by_play``, the id of the ``Play`` that displaced this one, or ``None`` if none did.
"""

play_limit_reached = Signal()
"""
This signal is sent after an attempt to exceed the limit of simultaneous playbacks.

The arguments are ``user``; ``scope``, the name of the group of playbacks that the limit
covers; ``limit``; ``at_limit``, the ``AtLimit`` value that was applied; and
``play_id``, the id of the new ``Play``, or ``None`` if the playback was refused.
"""
