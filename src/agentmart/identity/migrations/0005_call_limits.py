"""What a customer's keys may do together."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0004_impersonation")]

    operations = [migrations.AddField("customer", "call_limits", models.JSONField(default=dict))]
