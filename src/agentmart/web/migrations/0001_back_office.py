"""The back office: the admin's own log closed to everybody but operators, and hourly sums it can address."""

from django.db import migrations, models

from agentmart.infra.rls import protect, system_only

USAGE_BY_HOUR = """
CREATE VIEW web_usage_by_hour WITH (security_invoker = true) AS
SELECT resource_id || '.' || to_char(hour AT TIME ZONE 'UTC', 'YYYYMMDDHH24') || '.' || plan_key AS id,
       resource_id, hour, NULLIF(plan_key, '00000000-0000-0000-0000-000000000000') AS plan_id,
       customer_id, provider_customer_id, project_id, offering_id,
       events, errors, requests, input_tokens, output_tokens
FROM metering_usage_hour
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = [
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("infra", "0001_initial"),
        ("metering", "0001_initial"),
    ]

    operations = [
        protect("django_admin_log", system_only()),
        migrations.CreateModel(
            name="UsageByHour",
            fields=[
                ("id", models.TextField(primary_key=True, serialize=False)),
                ("resource_id", models.UUIDField()),
                ("hour", models.DateTimeField()),
                ("plan_id", models.UUIDField(null=True)),
                ("customer_id", models.UUIDField()),
                ("provider_customer_id", models.UUIDField()),
                ("project_id", models.UUIDField()),
                ("offering_id", models.UUIDField()),
                ("events", models.BigIntegerField()),
                ("errors", models.BigIntegerField()),
                ("requests", models.BigIntegerField()),
                ("input_tokens", models.BigIntegerField()),
                ("output_tokens", models.BigIntegerField()),
            ],
            options={
                "db_table": "web_usage_by_hour",
                "managed": False,
                "verbose_name_plural": "usage by hour",
            },
        ),
        migrations.RunSQL(USAGE_BY_HOUR, "DROP VIEW web_usage_by_hour"),
    ]
