"""Reports over a range find the plan periods that reach into it without reading those long over."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("resources", "0002_orders_change_resources")]

    operations = [
        migrations.AddIndex(
            model_name="planperiod",
            index=models.Index(fields=["end"], name="resources_period_end"),
        ),
    ]
