from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import protect, tenant


class Migration(migrations.Migration):
    initial = True

    dependencies = [("infra", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="ApiKey",
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
                ("project_id", models.UUIDField()),
                ("config_id", models.UUIDField(db_index=True)),
                ("name", models.CharField(max_length=150)),
                ("kind", models.CharField(default="secret", max_length=20)),
                ("environment", models.CharField(default="live", max_length=10)),
                ("scopes", models.JSONField(default=list)),
                ("prefix", models.CharField(max_length=20)),
                ("last4", models.CharField(max_length=4)),
                ("created_by", models.CharField(max_length=254)),
                ("expires_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "access_api_key",
            },
        ),
        migrations.CreateModel(
            name="GrantRow",
            fields=[
                ("key_id", models.UUIDField(primary_key=True, serialize=False)),
                ("key_sha256", models.BinaryField(max_length=32)),
                ("kind", models.CharField(max_length=20)),
                ("environment", models.CharField(max_length=10)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("active", "active"),
                            ("revoked", "revoked"),
                            ("customer_blocked", "customer_blocked"),
                            ("resource_paused", "resource_paused"),
                            ("terminated", "terminated"),
                            ("budget_exhausted", "budget_exhausted"),
                            ("unavailable", "unavailable"),
                        ],
                        max_length=30,
                    ),
                ),
                ("customer_id", models.UUIDField(db_index=True)),
                ("provider_customer_id", models.UUIDField()),
                ("project_id", models.UUIDField()),
                ("resource_id", models.UUIDField(db_index=True)),
                ("config_id", models.UUIDField()),
                ("offering_id", models.UUIDField(db_index=True)),
                ("plan_id", models.UUIDField(null=True)),
                ("flow_version_id", models.UUIDField(null=True)),
                ("runtime", models.CharField(max_length=30)),
                ("deployment_id", models.CharField(max_length=64)),
                ("scopes", models.JSONField(default=list)),
                ("expires_at", models.DateTimeField(null=True)),
                ("accept_until", models.DateTimeField(null=True)),
                ("limits", models.JSONField(default=dict)),
                ("tweakable", models.JSONField(default=list)),
                ("tweaks", models.JSONField(default=dict)),
                ("version", models.BigIntegerField(default=1)),
            ],
            options={
                "db_table": "access_grant",
            },
        ),
        protect("access_api_key", tenant()),
        protect("access_grant", tenant()),
    ]
