"""Lists show the newest first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0001_initial"),
        ("catalog", "0005_offering_files"),
        ("identity", "0005_call_limits"),
        ("resources", "0005_what_of_a_budget_is_spent"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="resource",
            index=models.Index(fields=["-created", "id"], name="resources_resource_newest"),
        ),
    ]
