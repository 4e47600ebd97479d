"""Quotas of customers; those that exist get theirs, unlimited, with what they have counted."""

import django.db.models.deletion
from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import protect, tenant

OPEN = """
SELECT set_config('agentmart.system', 'on', true);
INSERT INTO identity_quota (id, created, modified, name, "limit", usage, customer_id)
SELECT gen_random_uuid(), now(), now(), kind.name, -1, 0, customer.id
FROM identity_customer customer CROSS JOIN (VALUES ('nc_project_count'), ('nc_resource_count'),
    ('nc_user_count'), ('nc_api_key_count'), ('nc_agent_count')) AS kind (name);
SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;
"""

COUNT = """
DO $$
DECLARE
    kind record;
BEGIN
    FOR kind IN SELECT * FROM (VALUES
        ('nc_project_count', 'identity_project', 'count(*)', 'true'),
        ('nc_user_count', 'identity_membership', 'count(DISTINCT user_id)', 'true'),
        ('nc_agent_count', 'agents_agent', 'count(*)', 'true'),
        ('nc_resource_count', 'resources_resource', 'count(*)', 'state <> ''Terminated'''),
        ('nc_api_key_count', 'access_api_key', 'count(*)', 'revoked_at IS NULL')
    ) AS kinds (name, counted, what, live) LOOP
        IF to_regclass(kind.counted) IS NOT NULL THEN
            EXECUTE format(
                'UPDATE identity_quota SET usage = seen.usage FROM (SELECT customer_id, %s AS usage FROM %I '
                'WHERE %s GROUP BY customer_id) seen '
                'WHERE seen.customer_id = identity_quota.customer_id AND identity_quota.name = %L',
                kind.what, kind.counted, kind.live, kind.name);
        END IF;
    END LOOP;
END $$;
SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [("identity", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Quota",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("name", models.CharField(max_length=30)),
                ("limit", models.BigIntegerField(default=-1)),
                ("usage", models.BigIntegerField(default=0)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="quotas",
                        to="identity.customer",
                    ),
                ),
            ],
            options={
                "db_table": "identity_quota",
                "constraints": [
                    models.UniqueConstraint(fields=("customer", "name"), name="quota_once"),
                    models.CheckConstraint(
                        condition=models.Q(("limit__gte", -1)), name="quota_limit_at_least_minus_one"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("usage__gte", 0)), name="quota_usage_not_negative"
                    ),
                ],
            },
        ),
        protect("identity_quota", tenant()),
        migrations.RunSQL(OPEN, migrations.RunSQL.noop),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
    ]
