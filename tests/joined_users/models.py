"""A user model with fields of many kinds."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Upper


class Words(list):
    """A value of a type that only ``WordsField`` makes."""


class WordsField(models.TextField):
    """Store a list of words as text."""

    def from_db_value(self, value, expression, connection):
        return None if value is None else Words(value.split())

    def get_prep_value(self, value):
        return None if value is None else " ".join(value)


class Member(AbstractUser):
    """The user model. Its columns have other names than its fields, and other types."""

    token = models.UUIDField(default=uuid.uuid4, db_column="the token")
    profile = models.JSONField(default=dict)
    notes = models.JSONField(null=True)
    balance = models.DecimalField(max_digits=12, decimal_places=4, default=0)
    score = models.FloatField(null=True)
    level = models.BigIntegerField(null=True, db_column="select")
    born = models.DateField(null=True)
    wakes = models.TimeField(null=True)
    seen = models.DateTimeField(null=True)
    played = models.DurationField(null=True)
    picture = models.BinaryField(null=True)
    agrees = models.BooleanField(null=True)
    address = models.GenericIPAddressField(null=True)
    words = WordsField(null=True)
    biography = models.TextField(default="")
    patron = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, db_column="Patron"
    )
    shouted = models.GeneratedField(
        expression=Upper("first_name"),
        output_field=models.CharField(max_length=150),
        db_persist=True,
    )
