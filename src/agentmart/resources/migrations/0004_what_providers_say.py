from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("resources", "0003_periods_by_their_end"),
    ]

    operations = [
        migrations.AddField(
            model_name="resource",
            name="access_points",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="resource",
            name="backend_metadata",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="resource",
            name="last_sync",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="resource",
            name="report",
            field=models.JSONField(default=list),
        ),
    ]
