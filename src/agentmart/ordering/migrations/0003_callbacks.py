import django.db.models.deletion
from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import protect, tenant


class Migration(migrations.Migration):
    dependencies = [
        ("ordering", "0002_both_sides_approve"),
    ]

    operations = [
        migrations.CreateModel(
            name="OrderCallback",
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
                ("url", models.CharField(max_length=500)),
                (
                    "order_state",
                    models.CharField(
                        choices=[
                            ("pending-consumer", "Pending Consumer"),
                            ("pending-project", "Pending Project"),
                            ("pending-start-date", "Pending Start Date"),
                            ("pending-provider", "Pending Provider"),
                            ("executing", "Executing"),
                            ("done", "Done"),
                            ("erred", "Erred"),
                            ("canceled", "Canceled"),
                            ("rejected", "Rejected"),
                        ],
                        max_length=20,
                    ),
                ),
                ("body", models.TextField()),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("delivered", "Delivered"), ("failed", "Failed")],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("last_status", models.PositiveSmallIntegerField(null=True)),
                ("last_error", models.CharField(blank=True, max_length=300)),
                ("delivered_at", models.DateTimeField(null=True)),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="callbacks",
                        to="ordering.order",
                    ),
                ),
            ],
            options={
                "db_table": "ordering_callback",
            },
        ),
        protect("ordering_callback", tenant()),
    ]
