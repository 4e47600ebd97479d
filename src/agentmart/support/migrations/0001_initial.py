"""The support desk: issues, comments, attachments, what is promised how soon, and the sequence of keys."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import part_of, personal, protect, read_by_all

TARGETS = """
INSERT INTO support_sla_target (id, created, modified, priority, response_minutes, resolution_minutes) VALUES
    (gen_random_uuid(), now(), now(), 'Critical', 60, 240),
    (gen_random_uuid(), now(), now(), 'High', 240, 1440),
    (gen_random_uuid(), now(), now(), 'Medium', 1440, 4320),
    (gen_random_uuid(), now(), now(), 'Low', 4320, 10080)
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("identity", "0001_initial"),
        ("ordering", "0001_initial"),
        ("resources", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Issue",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("number", models.BigIntegerField(unique=True)),
                ("key", models.CharField(max_length=30, unique=True)),
                (
                    "type",
                    models.CharField(
                        choices=[
                            ("INFORMATIONAL", "Informational"),
                            ("SERVICE_REQUEST", "Service request"),
                            ("CHANGE_REQUEST", "Change request"),
                            ("INCIDENT", "Incident"),
                        ],
                        default="SERVICE_REQUEST",
                        max_length=20,
                    ),
                ),
                ("summary", models.CharField(max_length=255)),
                ("description", models.TextField(blank=True)),
                (
                    "priority",
                    models.CharField(
                        choices=[
                            ("Low", "Low"),
                            ("Medium", "Medium"),
                            ("High", "High"),
                            ("Critical", "Critical"),
                        ],
                        default="Medium",
                        max_length=10,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("Open", "Open"),
                            ("In Progress", "In Progress"),
                            ("Waiting for customer", "Waiting for customer"),
                            ("Resolved", "Resolved"),
                            ("Closed", "Closed"),
                            ("Canceled", "Canceled"),
                        ],
                        default="Open",
                        max_length=30,
                    ),
                ),
                ("resolution", models.TextField(blank=True)),
                ("resolved_at", models.DateTimeField(null=True)),
                ("feedback", models.JSONField(null=True)),
                ("response_minutes", models.PositiveIntegerField()),
                ("resolution_minutes", models.PositiveIntegerField()),
                ("first_response_deadline", models.DateTimeField()),
                ("resolution_deadline", models.DateTimeField()),
                ("response_at_risk_after", models.DateTimeField()),
                ("resolution_at_risk_after", models.DateTimeField()),
                ("first_response_at", models.DateTimeField(null=True)),
                ("clock_stopped_at", models.DateTimeField(null=True)),
                ("paused_seconds", models.BigIntegerField(default=0)),
                ("response_warned_at", models.DateTimeField(null=True)),
                ("resolution_warned_at", models.DateTimeField(null=True)),
                ("response_breached_at", models.DateTimeField(null=True)),
                ("resolution_breached_at", models.DateTimeField(null=True)),
                ("sla_breached", models.BooleanField(default=False)),
                ("is_escalated", models.BooleanField(default=False)),
                ("escalated_at", models.DateTimeField(null=True)),
                ("escalation_reason", models.TextField(blank=True)),
                (
                    "assignee",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="assigned_issues",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "caller",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="called_issues",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="issues",
                        to="identity.customer",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="issues",
                        to="ordering.order",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="issues",
                        to="identity.project",
                    ),
                ),
                (
                    "reporter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reported_issues",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "resource",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="issues",
                        to="resources.resource",
                    ),
                ),
            ],
            options={
                "db_table": "support_issue",
            },
        ),
        migrations.CreateModel(
            name="Comment",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("description", models.TextField()),
                ("is_public", models.BooleanField(default=True)),
                (
                    "author",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="issue_comments",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "issue",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="comments",
                        to="support.issue",
                    ),
                ),
            ],
            options={
                "db_table": "support_comment",
            },
        ),
        migrations.CreateModel(
            name="Attachment",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("file_name", models.CharField(max_length=150)),
                ("mime_type", models.CharField(max_length=100)),
                ("file_size", models.PositiveIntegerField()),
                ("content", models.BinaryField()),
                (
                    "uploader",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="issue_attachments",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "issue",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attachments",
                        to="support.issue",
                    ),
                ),
            ],
            options={
                "db_table": "support_attachment",
            },
        ),
        migrations.CreateModel(
            name="SlaTarget",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                (
                    "priority",
                    models.CharField(
                        choices=[
                            ("Low", "Low"),
                            ("Medium", "Medium"),
                            ("High", "High"),
                            ("Critical", "Critical"),
                        ],
                        max_length=10,
                        unique=True,
                    ),
                ),
                ("response_minutes", models.PositiveIntegerField()),
                ("resolution_minutes", models.PositiveIntegerField()),
            ],
            options={
                "db_table": "support_sla_target",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("resolution_minutes__gte", 1), ("response_minutes__gte", 1)),
                        name="support_sla_target_positive",
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="issue",
            index=models.Index(
                condition=models.Q(
                    ("first_response_at", None),
                    ("state__in", ("Open", "In Progress", "Waiting for customer")),
                ),
                fields=["response_at_risk_after"],
                name="support_issue_unanswered",
            ),
        ),
        migrations.AddIndex(
            model_name="issue",
            index=models.Index(
                condition=models.Q(("state__in", ("Open", "In Progress"))),
                fields=["resolution_at_risk_after"],
                name="support_issue_running",
            ),
        ),
        migrations.AddIndex(
            model_name="issue",
            index=models.Index(
                condition=models.Q(("state", "Resolved")),
                fields=["resolved_at"],
                name="support_issue_resolved",
            ),
        ),
        migrations.AddConstraint(
            model_name="issue",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        ["Open", "In Progress", "Waiting for customer", "Resolved", "Closed", "Canceled"],
                    )
                ),
                name="support_issue_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="issue",
            constraint=models.CheckConstraint(
                condition=models.Q(("priority__in", ["Low", "Medium", "High", "Critical"])),
                name="support_issue_priority_known",
            ),
        ),
        migrations.RunSQL("CREATE SEQUENCE support_issue_number", "DROP SEQUENCE support_issue_number"),
        migrations.RunSQL(TARGETS, migrations.RunSQL.noop),
        protect("support_issue", personal("caller_id")),
        protect("support_comment", part_of("support_issue", "issue_id", "is_public")),
        protect("support_attachment", part_of("support_issue", "issue_id")),
        protect("support_sla_target", read_by_all()),
    ]
