"""Calls under way, usage events (partitioned by month), hourly sums, flagged calls."""

from django.db import migrations, models

from agentmart.infra.rls import protect, seal, shared

USAGE_EVENT = """
CREATE TABLE metering_usage_event (
    id uuid PRIMARY KEY,
    customer_id uuid NOT NULL,
    provider_customer_id uuid NOT NULL,
    project_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    offering_id uuid NOT NULL,
    plan_id uuid,
    key_id uuid,
    flow_version_id uuid,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    status varchar(20) NOT NULL CHECK (status IN ('ok', 'error', 'timeout', 'cancelled')),
    requests bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    source varchar(20) NOT NULL CHECK (source IN ('runtime', 'counted', 'reported', 'none')),
    duration_ms integer NOT NULL CHECK (duration_ms >= 0),
    streamed boolean NOT NULL DEFAULT false,
    error_code varchar(60) NOT NULL DEFAULT '',
    meters jsonb NOT NULL DEFAULT '{}'
) PARTITION BY RANGE (id);
CREATE TABLE metering_usage_event_default PARTITION OF metering_usage_event DEFAULT;
CREATE INDEX metering_usage_event_resource ON metering_usage_event (resource_id, id);
CREATE TABLE metering_usage_hour (
    resource_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    plan_key uuid NOT NULL,
    customer_id uuid NOT NULL,
    provider_customer_id uuid NOT NULL,
    project_id uuid NOT NULL,
    offering_id uuid NOT NULL,
    events bigint NOT NULL,
    errors bigint NOT NULL,
    requests bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    PRIMARY KEY (resource_id, hour, plan_key)
);
CREATE INDEX metering_usage_hour_customer ON metering_usage_hour (customer_id, hour);
"""

ROW = [
    ("call_id", models.UUIDField(primary_key=True, serialize=False)),
    ("customer_id", models.UUIDField()),
    ("provider_customer_id", models.UUIDField()),
    ("resource_id", models.UUIDField()),
    ("key_id", models.UUIDField()),
]


class Migration(migrations.Migration):
    initial = True
    dependencies = [("infra", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="CallStarted",
            fields=[
                *ROW,
                ("gateway_id", models.UUIDField()),
                ("started_at", models.DateTimeField(db_index=True)),
            ],
            options={"db_table": "metering_call_started"},
        ),
        migrations.CreateModel(
            name="CallFlag",
            fields=[
                *ROW,
                ("started_at", models.DateTimeField()),
                ("flagged_at", models.DateTimeField()),
                ("outcome", models.CharField(max_length=20)),
            ],
            options={"db_table": "metering_call_flag"},
        ),
        migrations.CreateModel(
            name="UsageEvent",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("customer_id", models.UUIDField()),
                ("provider_customer_id", models.UUIDField()),
                ("project_id", models.UUIDField()),
                ("resource_id", models.UUIDField()),
                ("offering_id", models.UUIDField()),
                ("plan_id", models.UUIDField(null=True)),
                ("key_id", models.UUIDField(null=True)),
                ("flow_version_id", models.UUIDField(null=True)),
                ("occurred_at", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                ("status", models.CharField(max_length=20)),
                ("requests", models.BigIntegerField()),
                ("input_tokens", models.BigIntegerField()),
                ("output_tokens", models.BigIntegerField()),
                ("source", models.CharField(max_length=20)),
                ("duration_ms", models.IntegerField()),
                ("streamed", models.BooleanField()),
                ("error_code", models.CharField(max_length=60)),
                ("meters", models.JSONField(default=dict)),
            ],
            options={
                "db_table": "metering_usage_event",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="UsageHour",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "resource_id",
                        "hour",
                        "plan_key",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("resource_id", models.UUIDField()),
                ("hour", models.DateTimeField()),
                ("plan_key", models.UUIDField()),
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
                "db_table": "metering_usage_hour",
                "managed": False,
            },
        ),
        migrations.RunSQL(USAGE_EVENT, "DROP TABLE metering_usage_event, metering_usage_hour"),
        protect("metering_call_started", shared()),
        protect("metering_call_flag", shared()),
        protect("metering_usage_event", shared(), append_only=True),
        protect("metering_usage_hour", shared()),
        migrations.RunSQL(seal("metering_usage_event_default"), migrations.RunSQL.noop),
    ]
