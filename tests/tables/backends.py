"""Backends that sign in users of one table each."""

from __future__ import annotations

from django.contrib.auth.backends import BaseBackend

from tests.tables.models import Customer, Plain


class OneTable(BaseBackend):
    def authenticate(self, request, username=None, password=None):
        user = self.get_user_by(**{self.model.USERNAME_FIELD: username})
        return user if user is not None and user.check_password(password) else None

    def get_user(self, pk):
        return self.get_user_by(pk=pk)

    def get_user_by(self, **which):
        return self.model.objects.filter(**which).first()


class CustomerBackend(OneTable):
    model = Customer


class PlainBackend(OneTable):
    model = Plain
