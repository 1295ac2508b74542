"""Deleting a user deletes its rows as before. No statement changes the database."""

from django.conf import settings
from django.db import migrations, models

import session_limit.models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("session_limit", "0004_recorded_keys"),
    ]

    operations = [
        migrations.AlterField(
            model_name="usersession",
            name="user",
            field=models.ForeignKey(
                db_index=False,
                on_delete=session_limit.models.cascade_unlisted,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="user",
            ),
        ),
        migrations.AlterField(
            model_name="pendingsignin",
            name="user",
            field=models.ForeignKey(
                on_delete=session_limit.models.cascade_unlisted,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
