from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("session_limit", "0003_plays"),
    ]

    operations = [
        migrations.AddField(
            model_name="usersession",
            name="former_digest",
            field=models.CharField(editable=False, max_length=32, null=True),
        ),
        migrations.AddField(
            model_name="usersession",
            name="key_recorded_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="usersession",
            index=models.Index(fields=["former_digest"], name="session_limit_former"),
        ),
    ]
