"""Offerings say whether they run code of their provider's own; parts of offerings are written by their owner only."""

from django.db import migrations, models

from agentmart.infra.rls import change, through


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]

    operations = [
        migrations.AddField("offering", "custom_code", models.BooleanField(default=False)),
        change("catalog_offering_component", through("catalog_offering", "offering_id")),
        change("catalog_plan", through("catalog_offering", "offering_id")),
        change("catalog_plan_component", through("catalog_offering", "offering_id")),
    ]
