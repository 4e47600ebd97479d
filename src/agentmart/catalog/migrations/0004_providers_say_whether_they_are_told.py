"""Providers say whether they want to be told of what happens to their offerings."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_the_whole_catalogue")]

    operations = [
        migrations.AddField("serviceprovider", "enable_notifications", models.BooleanField(default=True)),
    ]
