"""The back office finds usage by key and calls under an idempotency key, too."""

from django.db import migrations, models

USAGE_BY_KEY = """
CREATE VIEW web_usage_by_key WITH (security_invoker = true) AS
SELECT resource_id || '.' || to_char(hour AT TIME ZONE 'UTC', 'YYYYMMDDHH24') || '.' || key_key || '.' || version_key AS id,
       resource_id, hour, NULLIF(key_key, '00000000-0000-0000-0000-000000000000') AS key_id,
       NULLIF(version_key, '00000000-0000-0000-0000-000000000000') AS flow_version_id,
       customer_id, provider_customer_id, events, errors, requests, input_tokens, output_tokens
FROM metering_usage_part
"""
KEYED_CALLS = """
CREATE VIEW web_keyed_call WITH (security_invoker = true) AS
SELECT call_id, config_id, customer_id, claimed_at, expires_at, answer IS NOT NULL AS answered
FROM access_idempotent_call
"""


class Migration(migrations.Migration):
    dependencies = [
        ("web", "0001_back_office"),
        ("metering", "0006_usage_by_key_and_kept_payloads"),
        ("access", "0003_idempotent_calls"),
    ]

    operations = [
        migrations.CreateModel(
            name="UsageByKey",
            fields=[
                ("id", models.TextField(primary_key=True, serialize=False)),
                ("resource_id", models.UUIDField()),
                ("hour", models.DateTimeField()),
                ("key_id", models.UUIDField(null=True)),
                ("flow_version_id", models.UUIDField(null=True)),
                ("customer_id", models.UUIDField()),
                ("provider_customer_id", models.UUIDField()),
                ("events", models.BigIntegerField()),
                ("errors", models.BigIntegerField()),
                ("requests", models.BigIntegerField()),
                ("input_tokens", models.BigIntegerField()),
                ("output_tokens", models.BigIntegerField()),
            ],
            options={"db_table": "web_usage_by_key", "managed": False, "verbose_name_plural": "usage by key"},
        ),
        migrations.CreateModel(
            name="KeyedCall",
            fields=[
                ("call_id", models.UUIDField(primary_key=True, serialize=False)),
                ("config_id", models.UUIDField()),
                ("customer_id", models.UUIDField()),
                ("claimed_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("answered", models.BooleanField()),
            ],
            options={"db_table": "web_keyed_call", "managed": False},
        ),
        migrations.RunSQL(USAGE_BY_KEY, "DROP VIEW web_usage_by_key"),
        migrations.RunSQL(KEYED_CALLS, "DROP VIEW web_keyed_call"),
    ]
