"""
Store times in UTC in databases that have no type for time zones (SQLite, MySQL).

Until now, these databases stored times in the zone in which Django stores times: the
project's zone if ``USE_TZ`` is false, or the ``TIME_ZONE`` of the database. All other
databases stay as they are, and the columns' types do not change.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from django.db import migrations, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.utils import timezone

import session_limit.models
from session_limit.utils.clock import utc_now

FIELDS = {
    "AccountLimit": ("locked_at", "password_changed_at"),
    "UserSession": (
        "key_recorded_at",
        "created_at",
        "authenticated_at",
        "last_active_at",
        "expires_at",
        "ended_at",
    ),
    "PendingSignIn": ("created_at", "expires_at"),
    "Play": ("started_at", "lease_until", "ended_at"),
}
Shift = Callable[[datetime], timedelta]
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def to_utc(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    zone = zone_of(schema_editor.connection)

    def shift(shown: datetime) -> timedelta:
        # In autumn, the times of one hour have two readings. The later one ends no
        # session early.
        aware = shown.replace(tzinfo=UTC)
        readings = (shown.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
        return max(reading.astimezone(UTC) - aware for reading in readings)

    convert(apps, schema_editor.connection, zone, shift)


def to_local(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    zone = zone_of(schema_editor.connection)

    def shift(moment: datetime) -> timedelta:
        aware = moment.replace(tzinfo=UTC)
        return aware.astimezone(zone).replace(tzinfo=UTC) - aware

    convert(apps, schema_editor.connection, zone, shift)


def zone_of(connection: BaseDatabaseWrapper) -> tzinfo:
    """Return the zone of the times that Django's own field stores."""
    return connection.timezone or timezone.get_default_timezone()


def convert(
    apps: StateApps, connection: BaseDatabaseWrapper, zone: tzinfo, shift: Shift
) -> None:
    """Add ``shift(time)`` to each time, with one statement for each table."""
    if connection.features.supports_timezones or zone is UTC:
        return
    for name, fields in FIELDS.items():
        model = apps.get_model("session_limit", name)
        if not router.allow_migrate_model(connection.alias, model):
            continue
        rows = model.objects.using(connection.alias)
        ends = [end(field) for field in fields for end in (models.Min, models.Max)]
        found = [each for each in rows.aggregate(*ends).values() if each is not None]
        if not found:
            continue
        # UTCDateTimeField reads and writes the stored times without converting them.
        first, last = min(found).replace(tzinfo=None), max(found).replace(tzinfo=None)
        spans = list(constant_spans(shift, first, last))
        if any(by for _, by in spans):
            rows.update(**{field: shifted(field, spans) for field in fields})


def shifted(field: str, spans: list[tuple[datetime, timedelta]]) -> models.Case:
    """Return an expression for ``field`` plus the shift of its span of time."""
    return models.Case(
        *(
            models.When(
                **{f"{field}__lt": end.replace(tzinfo=UTC)},
                then=models.F(field) + models.Value(by, models.DurationField()),
            )
            for end, by in spans
        ),
        output_field=session_limit.models.UTCDateTimeField(),
    )


def constant_spans(
    shift: Shift, first: datetime, last: datetime
) -> Iterator[tuple[datetime, timedelta]]:
    """
    Yield ``(end, shift)`` for each span of time in which ``shift()`` is constant.

    The spans cover the time from ``first`` to ``last``. An end is not in its span.
    """
    start = first.replace(microsecond=0)
    while start <= last:
        end = start + DAY
        if shift(end) != shift(start):
            # The offset of a zone changes at most once a day, at a whole second.
            same, other = start, end
            while other - same > SECOND:
                middle = same + (other - same) // 2
                middle = middle.replace(microsecond=0)
                if shift(middle) == shift(start):
                    same = middle
                else:
                    other = middle
            end = other
        if end > last or shift(end) != shift(start):
            yield end, shift(start)
        start = end


def altered(model: str, name: str, **options: Any) -> migrations.AlterField:
    field = session_limit.models.UTCDateTimeField(**options)
    return migrations.AlterField(model_name=model, name=name, field=field)


class Migration(migrations.Migration):
    dependencies = [
        ("session_limit", "0006_stores_and_browsers"),
    ]

    operations = [
        # The columns do not change, and SQLite would copy the tables.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                altered("accountlimit", "locked_at", default=utc_now, editable=False),
                altered(
                    "accountlimit",
                    "password_changed_at",
                    db_default=None,
                    editable=False,
                    null=True,
                ),
                altered("pendingsignin", "created_at", default=utc_now),
                altered("pendingsignin", "expires_at", db_index=True),
                altered("play", "started_at", verbose_name="started"),
                altered("play", "lease_until", verbose_name="counts until"),
                altered(
                    "play", "ended_at", blank=True, null=True, verbose_name="ended"
                ),
                altered("usersession", "key_recorded_at", editable=False, null=True),
                altered(
                    "usersession",
                    "created_at",
                    default=utc_now,
                    verbose_name="signed in",
                ),
                altered(
                    "usersession",
                    "authenticated_at",
                    default=utc_now,
                    verbose_name="credentials last given",
                ),
                altered(
                    "usersession",
                    "last_active_at",
                    default=utc_now,
                    verbose_name="last active",
                ),
                altered("usersession", "expires_at", verbose_name="expires"),
                altered(
                    "usersession",
                    "ended_at",
                    blank=True,
                    null=True,
                    verbose_name="ended",
                ),
            ]
        ),
        migrations.RunPython(to_utc, to_local),
    ]
