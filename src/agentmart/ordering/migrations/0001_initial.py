import django.db.models.deletion
from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import protect, shared


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("catalog", "0001_initial"),
        ("identity", "0001_initial"),
        ("resources", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Order",
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
                    "type",
                    models.CharField(
                        choices=[("Create", "Create"), ("Update", "Update"), ("Terminate", "Terminate")],
                        max_length=20,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending-consumer", "Pending Consumer"),
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
                ("customer_name", models.CharField(max_length=150)),
                ("project_name", models.CharField(max_length=150)),
                ("provider_customer_id", models.UUIDField(db_index=True)),
                ("resource_name", models.CharField(max_length=150)),
                ("attributes", models.JSONField(default=dict)),
                ("limits", models.JSONField(default=dict)),
                ("cost", models.DecimalField(decimal_places=2, max_digits=20, null=True)),
                ("request_comment", models.TextField(blank=True)),
                ("created_by_id", models.UUIDField(null=True)),
                ("created_by_username", models.CharField(blank=True, max_length=254)),
                ("consumer_reviewed_by", models.CharField(blank=True, max_length=254)),
                ("consumer_reviewed_at", models.DateTimeField(null=True)),
                ("consumer_rejection_comment", models.TextField(blank=True)),
                ("provider_reviewed_by", models.CharField(blank=True, max_length=254)),
                ("provider_reviewed_at", models.DateTimeField(null=True)),
                ("provider_rejection_comment", models.TextField(blank=True)),
                ("error_message", models.CharField(blank=True, max_length=500)),
                ("completed_at", models.DateTimeField(null=True)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="identity.customer",
                    ),
                ),
                (
                    "offering",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="catalog.offering",
                    ),
                ),
                (
                    "plan",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="catalog.plan",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="identity.project",
                    ),
                ),
                (
                    "resource",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="resources.resource",
                    ),
                ),
            ],
            options={
                "db_table": "ordering_order",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("state__in", ("pending-consumer", "pending-provider", "executing"))
                        ),
                        fields=("resource",),
                        name="one_open_order_per_resource",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("state__in", ("pending-consumer", "pending-provider", "executing")),
                            ("type", "Create"),
                        ),
                        fields=("project", "offering", "resource_name"),
                        name="one_open_create_order_per_name",
                    ),
                ],
            },
        ),
        protect("ordering_order", shared()),
    ]
