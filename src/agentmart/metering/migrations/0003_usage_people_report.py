"""Usage that people report: difference events behind monthly rows, which metered components have too."""

from dataclasses import replace

import django.db.models.deletion
from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import protect, shared, tenant

# Both sides of a sale read; the provider (and the system) writes.
BY_PROVIDER = replace(shared(), write=tenant("provider_customer_id").write)

ROWS = """
INSERT INTO metering_component_usage (id, created, modified, resource_id, offering_id, customer_id,
    provider_customer_id, project_id, plan_id, component_type, component_name, measured_unit, month, metered,
    amount, description, missing_usage_policy, modified_by)
SELECT gen_random_uuid(), n.first, n.first, n.resource_id, n.offering_id, n.customer_id, n.provider_customer_id,
    n.project_id, n.plan_key, c.type, c.name, c.measured_unit, n.month, true, 0, '', 'none', ''
FROM (
    SELECT resource_id, plan_key, offering_id, customer_id, provider_customer_id, project_id,
        date_trunc('month', hour AT TIME ZONE 'UTC')::date AS month, min(hour) AS first
    FROM {hours} WHERE plan_key <> '00000000-0000-0000-0000-000000000000'
    GROUP BY 1, 2, 3, 4, 5, 6, 7
) n
JOIN catalog_offering_component c ON c.offering_id = n.offering_id AND c.is_builtin
    AND c.type IN ('requests', 'input_tokens', 'output_tokens')
ORDER BY n.resource_id, n.plan_key, n.month, c.type
ON CONFLICT DO NOTHING;
SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;
"""

# A metered component's monthly row is born with the first hour of the month, whoever writes that hour. The
# gateway's role may not read the catalogue, so the function has its owner's rights and sees all tenants.
NOTE_MONTHS = f"""
CREATE FUNCTION metering_note_months() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    before text := coalesce(current_setting('agentmart.system', true), '');
BEGIN
    IF EXISTS (SELECT 1 FROM hours) THEN
        PERFORM set_config('agentmart.system', 'on', true);
        {ROWS.format(hours="hours")}
        PERFORM set_config('agentmart.system', before, true);
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION metering_note_months() FROM PUBLIC;
CREATE TRIGGER metering_usage_hour_note_months AFTER INSERT ON metering_usage_hour
    REFERENCING NEW TABLE AS hours FOR EACH STATEMENT EXECUTE FUNCTION metering_note_months();
"""

EXISTING = f"""
SELECT set_config('agentmart.system', 'on', true);
{ROWS.format(hours="metering_usage_hour")}
SELECT set_config('agentmart.system', 'off', true);
"""

# Hours are added up by `occurred_at`, single events found by their id: both must name the same millisecond.
ID_IS_THE_TIME = """
ALTER TABLE metering_usage_event ADD CONSTRAINT metering_usage_event_id_is_its_time CHECK (
    ('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint
    = floor(extract(epoch FROM occurred_at) * 1000)
) NOT VALID
"""


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_the_whole_catalogue"),
        ("metering", "0002_written_by_the_system"),
        ("resources", "0002_orders_change_resources"),
    ]

    operations = [
        migrations.CreateModel(
            name="ComponentUsage",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("customer_id", models.UUIDField()),
                ("provider_customer_id", models.UUIDField(db_index=True)),
                ("project_id", models.UUIDField(db_index=True)),
                ("plan_id", models.UUIDField()),
                ("component_type", models.CharField(max_length=60)),
                ("component_name", models.CharField(max_length=150)),
                ("measured_unit", models.CharField(blank=True, max_length=30)),
                ("month", models.DateField(db_index=True)),
                ("metered", models.BooleanField(default=False)),
                ("amount", models.DecimalField(decimal_places=10, max_digits=40)),
                ("description", models.TextField(blank=True)),
                ("missing_usage_policy", models.CharField(default="none", max_length=10)),
                ("reported_for", models.DateTimeField(null=True)),
                ("modified_by", models.CharField(blank=True, max_length=320)),
                (
                    "offering",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="catalog.offering",
                    ),
                ),
                (
                    "resource",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="component_usages",
                        to="resources.resource",
                    ),
                ),
            ],
            options={
                "db_table": "metering_component_usage",
            },
        ),
        migrations.CreateModel(
            name="ComponentEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("uuid", models.UUIDField(default=agentmart.kit.ids.new_id, editable=False)),
                ("customer_id", models.UUIDField()),
                ("provider_customer_id", models.UUIDField()),
                ("resource_id", models.UUIDField()),
                ("plan_id", models.UUIDField()),
                ("component_type", models.CharField(max_length=60)),
                ("month", models.DateField()),
                ("day", models.DateField()),
                ("occurred_at", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                ("kind", models.CharField(max_length=10)),
                ("amount", models.DecimalField(decimal_places=10, max_digits=40)),
                ("total", models.DecimalField(decimal_places=10, max_digits=40)),
                ("transaction_id", models.CharField(max_length=200, null=True)),
                ("payload_sha256", models.CharField(blank=True, max_length=64)),
                ("description", models.TextField(blank=True)),
                ("reported_by", models.CharField(blank=True, max_length=320)),
                (
                    "usage",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="metering.componentusage",
                    ),
                ),
            ],
            options={
                "db_table": "metering_component_event",
            },
        ),
        migrations.CreateModel(
            name="ComponentUserUsage",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("customer_id", models.UUIDField()),
                ("provider_customer_id", models.UUIDField()),
                ("username", models.CharField(max_length=254)),
                ("amount", models.DecimalField(decimal_places=10, max_digits=40)),
                (
                    "usage",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="user_usages",
                        to="metering.componentusage",
                    ),
                ),
            ],
            options={
                "db_table": "metering_component_user_usage",
            },
        ),
        migrations.AddIndex(
            model_name="componentusage",
            index=models.Index(fields=["customer_id", "month"], name="metering_component_customer"),
        ),
        migrations.AddConstraint(
            model_name="componentusage",
            constraint=models.UniqueConstraint(
                fields=("resource", "plan_id", "component_type", "month"), name="component_usage_once"
            ),
        ),
        migrations.AddIndex(
            model_name="componentevent",
            index=models.Index(fields=["usage", "day"], name="metering_component_day"),
        ),
        migrations.AddConstraint(
            model_name="componentevent",
            constraint=models.UniqueConstraint(
                fields=("resource_id", "transaction_id"), name="component_event_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="componentevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ("month", "day", "add", "reuse"))),
                name="component_event_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="componentuserusage",
            constraint=models.UniqueConstraint(fields=("usage", "username"), name="user_usage_once"),
        ),
        protect("metering_component_usage", BY_PROVIDER),
        protect("metering_component_event", BY_PROVIDER, append_only=True),
        protect("metering_component_user_usage", BY_PROVIDER),
        migrations.RunSQL(EXISTING, migrations.RunSQL.noop),
        migrations.RunSQL(NOTE_MONTHS, "DROP FUNCTION metering_note_months CASCADE"),
        migrations.RunSQL(
            ID_IS_THE_TIME,
            "ALTER TABLE metering_usage_event DROP CONSTRAINT metering_usage_event_id_is_its_time",
        ),
    ]
