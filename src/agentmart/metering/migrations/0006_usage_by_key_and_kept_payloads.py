"""Hourly sums by key and version, and what buyers chose to keep of their calls' content."""

from dataclasses import replace

import django.db.models.deletion
from django.db import migrations, models

from agentmart.infra.rls import protect, shared, system_only, tenant

# Made by a job out of the events; read in their place once it adds up to the hourly sums.
PARTS = """
CREATE TABLE metering_usage_part (
    resource_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    key_key uuid NOT NULL,
    version_key uuid NOT NULL,
    customer_id uuid NOT NULL,
    provider_customer_id uuid NOT NULL,
    events bigint NOT NULL,
    errors bigint NOT NULL,
    requests bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    PRIMARY KEY (resource_id, hour, key_key, version_key)
);
CREATE INDEX metering_usage_part_time ON metering_usage_part USING brin (hour) WITH (pages_per_range = 32);
CREATE FUNCTION metering_first_id(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog
AS $$ SELECT rpad(lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0'), 32, '0')::uuid $$;
"""
NO_PARTS = "DROP TABLE metering_usage_part; DROP FUNCTION metering_first_id"

FOR_BOTH_SIDES = replace(shared(), write=system_only().write)


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0005_how_calls_went"),
        ("resources", "0003_periods_by_their_end"),
    ]

    operations = [
        migrations.RunSQL(
            PARTS,
            NO_PARTS,
            state_operations=[
                migrations.CreateModel(
                    name="UsagePart",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "resource_id",
                                "hour",
                                "key_key",
                                "version_key",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("resource_id", models.UUIDField()),
                        ("hour", models.DateTimeField()),
                        ("key_key", models.UUIDField()),
                        ("version_key", models.UUIDField()),
                        ("customer_id", models.UUIDField()),
                        ("provider_customer_id", models.UUIDField()),
                        ("events", models.BigIntegerField()),
                        ("errors", models.BigIntegerField()),
                        ("requests", models.BigIntegerField()),
                        ("input_tokens", models.BigIntegerField()),
                        ("output_tokens", models.BigIntegerField()),
                    ],
                    options={"db_table": "metering_usage_part", "managed": False},
                ),
            ],
        ),
        migrations.CreateModel(
            name="PayloadSetting",
            fields=[
                (
                    "config",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="payload_setting",
                        serialize=False,
                        to="resources.agentconfig",
                    ),
                ),
                ("customer_id", models.UUIDField(db_index=True)),
                ("enabled", models.BooleanField(default=False)),
                ("retention_days", models.PositiveSmallIntegerField(default=30)),
                ("redact", models.JSONField(default=list)),
                ("modified", models.DateTimeField()),
            ],
            options={
                "db_table": "metering_payload_setting",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(retention_days__gte=1, retention_days__lte=90),
                        name="payload_retention_days",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CallPayload",
            fields=[
                ("call_id", models.UUIDField(primary_key=True, serialize=False)),
                ("customer_id", models.UUIDField()),
                ("config_id", models.UUIDField()),
                ("occurred_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(db_index=True)),
                ("sealed", models.BinaryField()),
            ],
            options={
                "db_table": "metering_call_payload",
                "indexes": [models.Index(fields=["config_id", "call_id"], name="metering_payload_config")],
            },
        ),
        protect("metering_usage_part", FOR_BOTH_SIDES),
        protect("metering_payload_setting", tenant()),
        protect("metering_call_payload", tenant()),
    ]
