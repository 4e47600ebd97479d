"""Foundation: privileges of the three roles, append-only trigger, audit log."""

from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import FOUNDATION_SQL, protect, tenant


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.RunSQL(FOUNDATION_SQL, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("at", models.DateTimeField(db_index=True)),
                ("actor_id", models.UUIDField(null=True)),
                ("actor_name", models.CharField(max_length=254)),
                ("action", models.CharField(max_length=100)),
                ("object_type", models.CharField(max_length=100)),
                ("object_id", models.UUIDField()),
                ("customer_id", models.UUIDField(null=True)),
                ("before", models.JSONField(default=dict)),
                ("after", models.JSONField(default=dict)),
                ("request_id", models.CharField(blank=True, max_length=64)),
            ],
            options={"db_table": "infra_audit_entry"},
        ),
        migrations.AddIndex(
            "auditentry",
            models.Index(fields=["object_type", "object_id", "at"], name="infra_audit_object"),
        ),
        protect("infra_audit_entry", tenant(), append_only=True),
        migrations.RunSQL(
            "CREATE POLICY audit_written_by_anyone ON infra_audit_entry FOR INSERT WITH CHECK (true)",
            migrations.RunSQL.noop,
        ),
    ]
