"""Lists show the newest first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0005_offering_files"),
        ("identity", "0005_call_limits"),
        ("ordering", "0003_callbacks"),
        ("resources", "0005_what_of_a_budget_is_spent"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["-created", "id"], name="ordering_order_newest"),
        ),
    ]
