"""Define the field for times, which are in UTC whatever the project's settings are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django import forms
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from session_limit.utils.clock import as_utc, local

# The types of the values that are set and read, which django-stubs fills in.
ST = TypeVar("ST")
GT = TypeVar("GT")

if TYPE_CHECKING:

    class FieldBase(models.DateTimeField[ST, GT], Generic[ST, GT]): ...
else:

    class FieldBase(models.DateTimeField):
        def __class_getitem__(cls, types: Any) -> type[FieldBase]:
            return cls


class LocalDateTimeField(forms.DateTimeField):
    """A form field that shows and reads local time, even if ``USE_TZ`` is false."""

    def prepare_value(self, value: Any) -> Any:
        shown = local(value) if isinstance(value, datetime) else value
        return super().prepare_value(shown)

    def to_python(self, value: Any) -> datetime | None:
        moment = super().to_python(value)
        return None if moment is None else as_utc(moment)


class UTCDateTimeField(FieldBase[ST, GT]):
    """
    A model field for aware datetimes in UTC.

    Databases without a type for time zones (SQLite, MySQL) store UTC. Django's own
    field stores the time of another zone there if ``USE_TZ`` is false or if the
    database has a ``TIME_ZONE``. In that zone, an hour of a night in autumn cannot be
    told from the next hour. Naive values are local time in the project's time zone.
    """

    def get_prep_value(self, value: Any) -> datetime | None:
        moment = super().get_prep_value(value)
        return None if moment is None else as_utc(moment)

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        moment = value if prepared else self.get_prep_value(value)
        if moment is not None and not connection.features.supports_timezones:
            # Django would convert an aware time, or refuse it if USE_TZ is false.
            moment = moment.replace(tzinfo=None)
        return connection.ops.adapt_datetimefield_value(moment)

    def from_db_value(
        self, value: datetime | None, expression: Any, connection: BaseDatabaseWrapper
    ) -> datetime | None:
        if value is None:
            return None
        is_stored = value.tzinfo is None or value.tzinfo == connection.timezone
        if is_stored and not connection.features.supports_timezones:
            # Django took the stored time for a time of the connection's zone.
            return value.replace(tzinfo=UTC)
        return as_utc(value)

    def from_driver(
        self, value: Any, expression: Any, connection: BaseDatabaseWrapper
    ) -> datetime | None:
        """
        Convert a value that the database's driver has returned.

        This method does in one step what the converters of Django and
        ``from_db_value()`` do together. ``utils.sql`` calls it.
        """
        if value is None:
            return None
        if connection.features.supports_timezones:
            return as_utc(value)
        # SQLite's driver returns text.
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.replace(tzinfo=UTC)

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": LocalDateTimeField, **kwargs})
