"""What months not finally invoiced will come to, and what offerings have brought in; both made by a job."""

from dataclasses import replace

import django.db.models.deletion
from django.db import migrations, models

from agentmart.infra.rls import protect, shared, system_only, tenant

FOR_BOTH_SIDES = replace(shared(), write=system_only().write)
FOR_PROVIDER = replace(tenant(), write=system_only().write)


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0004_invoices_by_month"),
        ("catalog", "0003_the_whole_catalogue"),
        ("identity", "0004_impersonation"),
    ]

    operations = [
        migrations.CreateModel(
            name="OfferingFigures",
            fields=[
                (
                    "offering",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="figures",
                        serialize=False,
                        to="catalog.offering",
                    ),
                ),
                ("customer_id", models.UUIDField(db_index=True)),
                ("currency", models.CharField(max_length=3)),
                ("total_cost", models.DecimalField(decimal_places=4, max_digits=24)),
                ("total_cost_estimated", models.DecimalField(decimal_places=4, max_digits=24)),
                ("as_of", models.DateTimeField()),
            ],
            options={"verbose_name_plural": "offering figures", "db_table": "billing_offering_figures"},
        ),
        migrations.CreateModel(
            name="CostEstimate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("offering_id", models.UUIDField(db_index=True)),
                ("provider_customer_id", models.UUIDField()),
                ("first_day", models.DateField()),
                ("currency", models.CharField(max_length=3)),
                ("price", models.DecimalField(decimal_places=4, max_digits=24)),
                ("tax", models.DecimalField(decimal_places=4, max_digits=24)),
                ("as_of", models.DateTimeField()),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="cost_estimates",
                        to="identity.customer",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="cost_estimates",
                        to="identity.project",
                    ),
                ),
            ],
            options={
                "db_table": "billing_cost_estimate",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("customer", "first_day", "project", "offering_id", "currency"),
                        name="cost_estimate_once",
                    )
                ],
            },
        ),
        protect("billing_offering_figures", FOR_PROVIDER),
        protect("billing_cost_estimate", FOR_BOTH_SIDES),
    ]
