"""Staff may act as somebody, for a while."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import login, protect

CASCADE = django.db.models.deletion.CASCADE


class Migration(migrations.Migration):
    dependencies = [("identity", "0003_people_and_details")]

    operations = [
        migrations.CreateModel(
            name="Impersonation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("token_sha256", models.BinaryField(max_length=32, unique=True)),
                ("reason", models.CharField(max_length=300)),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "operator",
                    models.ForeignKey(
                        settings.AUTH_USER_MODEL, on_delete=CASCADE, related_name="impersonations"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        settings.AUTH_USER_MODEL, on_delete=CASCADE, related_name="impersonated"
                    ),
                ),
            ],
            options={"db_table": "identity_impersonation"},
        ),
        protect("identity_impersonation", login()),
    ]
