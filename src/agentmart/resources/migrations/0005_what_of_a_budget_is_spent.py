"""What a month's charges have come to, beside the budget they are held against."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("resources", "0004_what_providers_say")]

    operations = [migrations.AddField("agentconfig", "spending", models.JSONField(default=dict))]
