"""Calls with an idempotency key, written by the gateway."""

from django.db import migrations, models

from agentmart.infra.rls import protect, tenant


class Migration(migrations.Migration):
    dependencies = [("access", "0002_grants_name_their_model")]

    operations = [
        migrations.CreateModel(
            name="IdempotentCall",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "config_id",
                        "key_sha256",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("config_id", models.UUIDField()),
                ("key_sha256", models.BinaryField(max_length=32)),
                ("customer_id", models.UUIDField()),
                ("fingerprint", models.BinaryField(max_length=32)),
                ("call_id", models.UUIDField(unique=True)),
                ("claimed_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(db_index=True)),
                ("answer", models.BinaryField(null=True)),
            ],
            options={"db_table": "access_idempotent_call"},
        ),
        protect("access_idempotent_call", tenant()),
    ]
