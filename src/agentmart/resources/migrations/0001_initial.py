import django.db.models.deletion
from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import protect, shared, tenant


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("agents", "0001_initial"),
        ("catalog", "0001_initial"),
        ("identity", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Resource",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("customer_name", models.CharField(max_length=150)),
                ("project_name", models.CharField(max_length=150)),
                ("provider_customer_id", models.UUIDField(db_index=True)),
                ("runtime", models.CharField(blank=True, max_length=30)),
                ("name", models.CharField(max_length=150)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("Creating", "Creating"),
                            ("OK", "Ok"),
                            ("Erred", "Erred"),
                            ("Updating", "Updating"),
                            ("Terminating", "Terminating"),
                            ("Terminated", "Terminated"),
                        ],
                        default="Creating",
                        max_length=20,
                    ),
                ),
                ("paused", models.BooleanField(default=False)),
                ("error_message", models.CharField(blank=True, max_length=500)),
                ("activated_at", models.DateTimeField(null=True)),
                ("terminated_at", models.DateTimeField(null=True)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="resources",
                        to="identity.customer",
                    ),
                ),
                (
                    "flow_version",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="agents.flowversion",
                    ),
                ),
                (
                    "offering",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="resources",
                        to="catalog.offering",
                    ),
                ),
                (
                    "plan",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="resources",
                        to="catalog.plan",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="resources",
                        to="identity.project",
                    ),
                ),
            ],
            options={
                "db_table": "resources_resource",
            },
        ),
        migrations.CreateModel(
            name="AgentConfig",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("customer_id", models.UUIDField(db_index=True)),
                ("name", models.CharField(max_length=150)),
                ("tweaks", models.JSONField(default=dict)),
                ("tweakable", models.JSONField(default=list)),
                (
                    "resource",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="config",
                        to="resources.resource",
                    ),
                ),
            ],
            options={
                "db_table": "resources_agent_config",
            },
        ),
        migrations.CreateModel(
            name="PlanPeriod",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("customer_id", models.UUIDField(db_index=True)),
                ("provider_customer_id", models.UUIDField()),
                ("start", models.DateTimeField()),
                ("end", models.DateTimeField(null=True)),
                (
                    "plan",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.plan"
                    ),
                ),
                (
                    "resource",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="plan_periods",
                        to="resources.resource",
                    ),
                ),
            ],
            options={
                "db_table": "resources_plan_period",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("end", None)), fields=("resource",), name="one_open_plan_period"
                    )
                ],
            },
        ),
        protect("resources_resource", shared()),
        protect("resources_plan_period", shared()),
        protect("resources_agent_config", tenant()),
        migrations.RunSQL(
            "CREATE POLICY held_read ON catalog_offering FOR SELECT USING "
            "(EXISTS (SELECT 1 FROM resources_resource r WHERE r.offering_id = catalog_offering.id))",
            "DROP POLICY held_read ON catalog_offering",
        ),
    ]
