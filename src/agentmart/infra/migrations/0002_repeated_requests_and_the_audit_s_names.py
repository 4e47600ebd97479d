"""Kept answers of repeated requests; who stood behind an audited act, and indexes for reading the log."""

from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import personally, protect

INDEXES = (
    models.Index(fields=["object_id", "at"], name="infra_audit_object_id"),
    models.Index(fields=["customer_id", "at"], name="infra_audit_customer"),
    models.Index(fields=["actor_id", "at"], name="infra_audit_actor"),
    models.Index(fields=["action", "at"], name="infra_audit_action"),
    models.Index(
        condition=models.Q(("impersonator_id__isnull", False)),
        fields=["impersonator_id", "at"],
        name="infra_audit_impersonator",
    ),
    models.Index(
        condition=models.Q(("request_id", ""), _negated=True),
        fields=["request_id"],
        name="infra_audit_request",
    ),
)


class Migration(migrations.Migration):
    dependencies = [("infra", "0001_initial")]

    operations = [
        migrations.AlterField("auditentry", "actor_name", models.CharField(max_length=320)),
        migrations.AddField("auditentry", "impersonator_id", models.UUIDField(null=True)),
        *(migrations.AddIndex("auditentry", index) for index in INDEXES),
        migrations.CreateModel(
            name="IdempotentAnswer",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField()),
                ("expires_at", models.DateTimeField(db_index=True)),
                ("actor_id", models.UUIDField()),
                ("impersonator_id", models.UUIDField(null=True)),
                ("path", models.CharField(max_length=500)),
                ("key_sha256", models.BinaryField(max_length=32)),
                ("body_sha256", models.BinaryField(max_length=32)),
                ("status", models.PositiveSmallIntegerField(null=True)),
                ("sealed", models.BinaryField(default=bytes)),
            ],
            options={"db_table": "infra_idempotent_answer"},
        ),
        migrations.AddConstraint(
            "idempotentanswer",
            models.UniqueConstraint(
                fields=["actor_id", "impersonator_id", "key_sha256"],
                name="idempotent_answer_once",
                nulls_distinct=False,
            ),
        ),
        protect("infra_idempotent_answer", personally("actor_id")),
    ]
