"""
User models that share tables, or that do not.

``AUTH_USER_MODEL`` is ``Employee``, which inherits the table ``Person``, or ``Plain``.
"""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import check_password, make_password
from django.db import models


class Manager(BaseUserManager):
    def create_user(self, username, password=None, **fields):
        user = self.model(**{self.model.USERNAME_FIELD: username}, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class Person(AbstractBaseUser):
    """The table that the user model inherits."""

    name = models.CharField(max_length=50, unique=True)
    is_active = models.BooleanField(default=True)

    objects = Manager()

    USERNAME_FIELD = "name"


class PersonProxy(Person):
    class Meta:
        proxy = True


class Employee(Person):
    """The user model."""

    number = models.IntegerField(default=0)

    objects = Manager()


class Teacher(Employee):
    """A proxy of the user model."""

    class Meta:
        proxy = True


class Contractor(Employee):
    """A child of the user model, with a primary key of its own."""

    code = models.AutoField(primary_key=True)
    record = models.OneToOneField(Employee, on_delete=models.CASCADE, parent_link=True)


class Visitor(Person):
    """Another child of the user model's parent, which is no user."""


class Customer(AbstractBaseUser):
    """A user of another table, whose primary keys are those of employees, too."""

    email = models.CharField(max_length=50, unique=True)
    is_active = models.BooleanField(default=True)

    objects = Manager()

    USERNAME_FIELD = "email"


class PlainManager(models.Manager):
    def get_by_natural_key(self, name):
        return self.get(code=name)

    def create_user(self, username, password=None):
        return self.create(code=username, secret=make_password(password))


class Plain(models.Model):
    """A user model with no more than Django demands, and a text as primary key."""

    code = models.CharField(max_length=20, primary_key=True)
    secret = models.CharField(max_length=200)

    is_anonymous = False
    is_authenticated = True

    objects = PlainManager()

    USERNAME_FIELD = "code"
    REQUIRED_FIELDS = []

    def __str__(self):
        return self.code

    def check_password(self, password):
        return check_password(password, self.secret)
