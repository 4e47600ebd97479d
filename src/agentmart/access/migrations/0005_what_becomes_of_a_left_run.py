"""Grants say what becomes of a run whose caller left."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0004_what_a_key_may_do")]

    operations = [
        migrations.AddField("grantrow", "on_disconnect", models.CharField(default="drain", max_length=10)),
    ]
