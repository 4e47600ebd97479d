import django.db.models.deletion
from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import protect, tenant


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("identity", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Agent",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("name", models.CharField(max_length=150)),
                ("description", models.TextField(blank=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("validated", "Validated"),
                            ("published", "Published"),
                            ("unpublished", "Unpublished"),
                        ],
                        default="draft",
                        max_length=20,
                    ),
                ),
                ("runtime", models.CharField(default="embedded", max_length=30)),
                ("tags", models.JSONField(default=list)),
                ("exposed", models.JSONField(default=list)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="agents",
                        to="identity.customer",
                    ),
                ),
            ],
            options={
                "db_table": "agents_agent",
            },
        ),
        migrations.CreateModel(
            name="FlowVersion",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("customer_id", models.UUIDField(db_index=True)),
                ("version", models.PositiveIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("flow", models.JSONField()),
                ("trust", models.CharField(max_length=10)),
                ("langflow_version", models.CharField(blank=True, max_length=30)),
                ("nodes", models.JSONField(default=list)),
                ("tweakable", models.JSONField(default=list)),
                ("requires", models.JSONField(default=dict)),
                ("warnings", models.JSONField(default=list)),
                ("note", models.CharField(blank=True, max_length=300)),
                ("created", models.DateTimeField()),
                ("created_by", models.CharField(max_length=254)),
                (
                    "agent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="agents.agent",
                    ),
                ),
            ],
            options={
                "db_table": "agents_flow_version",
                "constraints": [
                    models.UniqueConstraint(fields=("agent", "version"), name="flow_version_number_once"),
                    models.UniqueConstraint(fields=("agent", "sha256"), name="flow_version_content_once"),
                ],
            },
        ),
        protect("agents_agent", tenant()),
        protect("agents_flow_version", tenant(), append_only=True),
    ]
