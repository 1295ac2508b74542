"""User models that differ from Django's own as much as a project's may."""

from __future__ import annotations

import uuid

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


class Manager(BaseUserManager):
    """Accept the arguments that the suite passes for Django's own user model."""

    def create_user(self, username, password=None, **fields):
        user = self.model(**{self.model.USERNAME_FIELD: username}, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username, password=None, **fields):
        return self.create_user(username, password, is_staff=True, **fields)


class EmailUser(AbstractBaseUser):
    """
    A user with a UUID as primary key, and no ``username``, ``is_staff`` or permissions.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.CharField(max_length=254, unique=True)
    is_active = models.BooleanField(default=True)

    objects = Manager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"


class CodeUser(AbstractBaseUser):
    """
    A user whose primary key is a string, which is also the login. May use the admin.
    """

    code = models.CharField(max_length=50, primary_key=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)

    objects = Manager()

    USERNAME_FIELD = "code"

    def has_perm(self, perm, obj=None):
        return self.is_staff

    def has_module_perms(self, app_label):
        return self.is_staff
