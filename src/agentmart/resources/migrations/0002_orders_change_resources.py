from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("resources", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="agentconfig",
            name="allowed_origins",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="agentconfig",
            name="budget",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="agentconfig",
            name="follows_latest",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="agentconfig",
            name="widget",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="planperiod",
            name="limits",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="resource",
            name="attributes",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="resource",
            name="backend_id",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name="resource",
            name="description",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="resource",
            name="downscaled",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="resource",
            name="end_date",
            field=models.DateField(db_index=True, null=True),
        ),
        migrations.AddField(
            model_name="resource",
            name="end_date_requested_by",
            field=models.CharField(blank=True, max_length=254),
        ),
        migrations.AddField(
            model_name="resource",
            name="end_date_updated_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="resource",
            name="limits",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="resource",
            name="options",
            field=models.JSONField(default=dict),
        ),
        migrations.AlterField(
            model_name="resource",
            name="state",
            field=models.CharField(
                choices=[
                    ("Creating", "Creating"),
                    ("OK", "Ok"),
                    ("Erred", "Erred"),
                    ("Updating", "Updating"),
                    ("Terminating", "Terminating"),
                    ("Terminated", "Terminated"),
                ],
                db_index=True,
                default="Creating",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="resource",
            name="version",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.RunSQL(
            "SELECT set_config('agentmart.system', 'on', true); "
            "UPDATE resources_resource r SET version = v.version "
            "FROM agents_flow_version v WHERE v.id = r.flow_version_id; "
            "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED",
            migrations.RunSQL.noop,
        ),
    ]
