import django.db.models.deletion
from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import protect, public_catalog, through


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("agents", "0001_initial"),
        ("identity", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Category",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("title", models.CharField(max_length=150)),
                ("description", models.TextField(blank=True)),
            ],
            options={
                "db_table": "catalog_category",
            },
        ),
        migrations.CreateModel(
            name="Offering",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("name", models.CharField(max_length=150)),
                ("slug", models.SlugField(max_length=80, unique=True)),
                ("description", models.TextField(blank=True)),
                ("type", models.CharField(max_length=40)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("Draft", "Draft"),
                            ("Active", "Active"),
                            ("Paused", "Paused"),
                            ("Archived", "Archived"),
                            ("Unavailable", "Unavailable"),
                        ],
                        default="Draft",
                        max_length=20,
                    ),
                ),
                ("review", models.CharField(blank=True, max_length=20)),
                ("paused_reason", models.CharField(blank=True, max_length=300)),
                ("shared", models.BooleanField(default=True)),
                ("billable", models.BooleanField(default=True)),
                ("plugin_options", models.JSONField(default=dict)),
                (
                    "agent",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offering",
                        to="agents.agent",
                    ),
                ),
                (
                    "category",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offerings",
                        to="catalog.category",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offerings",
                        to="identity.customer",
                    ),
                ),
                (
                    "flow_version",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="agents.flowversion",
                    ),
                ),
            ],
            options={
                "db_table": "catalog_offering",
            },
        ),
        migrations.CreateModel(
            name="OfferingComponent",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("type", models.CharField(max_length=60)),
                ("name", models.CharField(max_length=150)),
                ("measured_unit", models.CharField(blank=True, max_length=30)),
                ("billing_type", models.CharField(max_length=10)),
                ("is_builtin", models.BooleanField(default=False)),
                (
                    "offering",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="components",
                        to="catalog.offering",
                    ),
                ),
            ],
            options={
                "db_table": "catalog_offering_component",
            },
        ),
        migrations.CreateModel(
            name="Plan",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("name", models.CharField(max_length=150)),
                ("description", models.TextField(blank=True)),
                ("unit", models.CharField(default="month", max_length=20)),
                ("interval_count", models.PositiveSmallIntegerField(default=1)),
                ("currency", models.CharField(max_length=3)),
                ("limits", models.JSONField(default=dict)),
                ("archived", models.BooleanField(default=False)),
                ("max_amount", models.PositiveIntegerField(null=True)),
                (
                    "offering",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="plans",
                        to="catalog.offering",
                    ),
                ),
            ],
            options={
                "db_table": "catalog_plan",
            },
        ),
        migrations.CreateModel(
            name="PlanComponent",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("amount", models.PositiveIntegerField(default=0)),
                ("price", models.JSONField(default=dict)),
                (
                    "component",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="prices",
                        to="catalog.offeringcomponent",
                    ),
                ),
                (
                    "offering",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="catalog.offering"
                    ),
                ),
                (
                    "plan",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="components",
                        to="catalog.plan",
                    ),
                ),
            ],
            options={
                "db_table": "catalog_plan_component",
            },
        ),
        migrations.CreateModel(
            name="ServiceProvider",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created", models.DateTimeField(db_index=True)),
                ("modified", models.DateTimeField()),
                ("name", models.CharField(max_length=150)),
                ("description", models.TextField(blank=True)),
                (
                    "customer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="service_provider",
                        to="identity.customer",
                    ),
                ),
            ],
            options={
                "db_table": "catalog_service_provider",
            },
        ),
        migrations.AddField(
            model_name="offering",
            name="service_provider",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="offerings",
                to="catalog.serviceprovider",
            ),
        ),
        migrations.AddConstraint(
            model_name="offeringcomponent",
            constraint=models.UniqueConstraint(
                fields=("offering", "type"), name="offering_component_type_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="plancomponent",
            constraint=models.UniqueConstraint(fields=("plan", "component"), name="plan_component_once"),
        ),
        protect("catalog_category", public_catalog("true", owner="")),
        protect("catalog_service_provider", public_catalog("true")),
        protect("catalog_offering", public_catalog("(state = 'Active' AND shared)")),
        protect("catalog_offering_component", through("catalog_offering", "offering_id")),
        protect("catalog_plan", through("catalog_offering", "offering_id")),
        protect("catalog_plan_component", through("catalog_offering", "offering_id")),
    ]
