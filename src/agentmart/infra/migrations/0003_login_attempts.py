"""How often somebody tried to log in, by the minute."""

from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import protect, system_only


class Migration(migrations.Migration):
    dependencies = [("infra", "0002_repeated_requests_and_the_audit_s_names")]

    operations = [
        migrations.CreateModel(
            name="LoginAttempts",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("who_sha256", models.BinaryField(max_length=32)),
                ("minute", models.DateTimeField(db_index=True)),
                ("attempts", models.PositiveIntegerField()),
            ],
            options={"db_table": "infra_login_attempts", "verbose_name_plural": "login attempts"},
        ),
        migrations.AddConstraint(
            "loginattempts",
            models.UniqueConstraint(fields=["who_sha256", "minute"], name="login_attempts_once"),
        ),
        protect("infra_login_attempts", system_only()),
    ]
