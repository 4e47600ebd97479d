import django.db.models.deletion
from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import protect, tenant


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0001_initial"),
        ("identity", "0005_call_limits"),
    ]

    operations = [
        migrations.CreateModel(
            name="Studio",
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
                ("backend_url", models.CharField(max_length=500)),
                ("key_sealed", models.BinaryField()),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="studios",
                        to="identity.customer",
                    ),
                ),
            ],
            options={
                "db_table": "agents_studio",
            },
        ),
        migrations.CreateModel(
            name="StudioFlow",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("customer_id", models.UUIDField(db_index=True)),
                ("backend_id", models.UUIDField()),
                ("version", models.PositiveIntegerField()),
                ("imported", models.DateTimeField()),
                ("updated", models.DateTimeField(null=True)),
                (
                    "agent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="studio_flows",
                        to="agents.agent",
                    ),
                ),
                (
                    "studio",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="flows", to="agents.studio"
                    ),
                ),
            ],
            options={
                "db_table": "agents_studio_flow",
                "constraints": [
                    models.UniqueConstraint(fields=("studio", "backend_id"), name="studio_flow_once")
                ],
            },
        ),
        protect("agents_studio", tenant()),
        protect("agents_studio_flow", tenant()),
    ]
