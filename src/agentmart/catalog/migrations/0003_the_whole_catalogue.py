"""The catalogue's further fields: groups of shelves, private parts, versions of prices, pictures; who sees what."""

import django.db.models.deletion
from django.db import migrations, models

import agentmart.catalog.models
import agentmart.kit.ids
from agentmart.contracts.tables import APP_ROLE
from agentmart.infra.rls import change, protect, public_catalog, tenant, through

HELD = "EXISTS (SELECT 1 FROM resources_resource r WHERE r.offering_id = catalog_offering.id)"
SEEN = f"(state = 'Active' AND shared) OR {HELD}"
"""Who holds a resource reads what it is of, whatever became of the offering (that table's policy shows one's own)."""

SEQUENCE = "catalog_plan_component_number_seq"

EXISTING = """
SELECT set_config('agentmart.system', 'on', true);
UPDATE catalog_offering o SET version = v.version FROM agents_flow_version v WHERE v.id = o.flow_version_id;
INSERT INTO catalog_offering_private
    (offering_id, customer_id, secret_options, service_attributes, backend_id_rules, revision, review_comment)
SELECT id, customer_id, '{}', '{}', '{}', '{}', '' FROM catalog_offering;
INSERT INTO catalog_plan_price (plan_component_id, offering_id, valid_from, price, created)
SELECT id, offering_id, DATE '1970-01-01', price, created FROM catalog_plan_component ORDER BY number;
SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED; -- else no table with rows can be changed
SELECT set_config('agentmart.system', 'off', true);
"""

NEVER_CHANGED = (
    f"REVOKE UPDATE ON catalog_plan_price FROM {APP_ROLE};"
    "CREATE TRIGGER catalog_plan_price_never_changed BEFORE UPDATE ON catalog_plan_price "
    "FOR EACH ROW EXECUTE FUNCTION agentmart_refuse_change()"
)


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0002_custom_code_and_owners_write"),
        ("resources", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="CategoryGroup",
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
                "db_table": "catalog_category_group",
            },
        ),
        migrations.CreateModel(
            name="OfferingPrivate",
            fields=[
                (
                    "offering",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="private",
                        serialize=False,
                        to="catalog.offering",
                    ),
                ),
                ("customer_id", models.UUIDField(db_index=True)),
                ("secret_options", models.JSONField(default=dict)),
                ("service_attributes", models.JSONField(default=dict)),
                ("backend_id_rules", models.JSONField(default=dict)),
                ("revision", models.JSONField(default=dict)),
                ("review_comment", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "db_table": "catalog_offering_private",
            },
        ),
        migrations.AddField(
            model_name="category",
            name="default_vm_category",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="category",
            name="default_volume_category",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="category",
            name="icon",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="offering",
            name="access_url",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="offering",
            name="attributes",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="offering",
            name="backend_id",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name="offering",
            name="backend_metadata",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="offering",
            name="country",
            field=models.CharField(blank=True, max_length=2),
        ),
        migrations.AddField(
            model_name="offering",
            name="documentation_url",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="offering",
            name="full_description",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="offering",
            name="getting_started",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="offering",
            name="helpdesk_url",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="offering",
            name="image",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="offering",
            name="integration_guide",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="offering",
            name="latitude",
            field=models.FloatField(null=True),
        ),
        migrations.AddField(
            model_name="offering",
            name="longitude",
            field=models.FloatField(null=True),
        ),
        migrations.AddField(
            model_name="offering",
            name="options",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="offering",
            name="privacy_policy_link",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="offering",
            name="resource_options",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="offering",
            name="tags",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="offering",
            name="thumbnail",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="offering",
            name="vendor_details",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="offering",
            name="version",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="offeringcomponent",
            name="article_code",
            field=models.CharField(blank=True, max_length=30),
        ),
        migrations.AddField(
            model_name="offeringcomponent",
            name="default_limit",
            field=models.DecimalField(decimal_places=10, max_digits=30, null=True),
        ),
        migrations.AddField(
            model_name="offeringcomponent",
            name="description",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="offeringcomponent",
            name="is_boolean",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="offeringcomponent",
            name="limit_amount",
            field=models.DecimalField(decimal_places=10, max_digits=30, null=True),
        ),
        migrations.AddField(
            model_name="offeringcomponent",
            name="limit_period",
            field=models.CharField(blank=True, max_length=10),
        ),
        migrations.AddField(
            model_name="offeringcomponent",
            name="max_available_limit",
            field=models.DecimalField(decimal_places=10, max_digits=30, null=True),
        ),
        migrations.AddField(
            model_name="offeringcomponent",
            name="max_value",
            field=models.DecimalField(decimal_places=10, max_digits=30, null=True),
        ),
        migrations.AddField(
            model_name="offeringcomponent",
            name="min_value",
            field=models.DecimalField(decimal_places=10, max_digits=30, null=True),
        ),
        migrations.AddField(
            model_name="plan",
            name="article_code",
            field=models.CharField(blank=True, max_length=30),
        ),
        migrations.AddField(
            model_name="plan",
            name="backend_id",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name="plan",
            name="billing_mode",
            field=models.CharField(default="inherit", max_length=10),
        ),
        migrations.AddField(
            model_name="plan",
            name="pending",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="plancomponent",
            name="next_amount",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="plancomponent",
            name="next_from",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="plancomponent",
            name="next_price",
            field=models.JSONField(null=True),
        ),
        migrations.RunSQL(f"CREATE SEQUENCE {SEQUENCE}", f"DROP SEQUENCE {SEQUENCE}"),
        migrations.AddField(
            model_name="plancomponent",
            name="number",
            field=models.BigIntegerField(
                db_default=agentmart.catalog.models.NextNumber(), editable=False, unique=True
            ),
        ),
        migrations.AddField(
            model_name="category",
            name="group",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="categories",
                to="catalog.categorygroup",
            ),
        ),
        migrations.CreateModel(
            name="OfferingPicture",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentmart.kit.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=10)),
                ("content_type", models.CharField(max_length=30)),
                ("data", models.BinaryField()),
                ("created", models.DateTimeField()),
                (
                    "offering",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="pictures",
                        to="catalog.offering",
                    ),
                ),
            ],
            options={
                "db_table": "catalog_offering_picture",
                "constraints": [
                    models.UniqueConstraint(fields=("offering", "kind"), name="offering_picture_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="PlanPrice",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("valid_from", models.DateField()),
                ("price", models.JSONField()),
                ("created", models.DateTimeField()),
                (
                    "offering",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="catalog.offering"
                    ),
                ),
                (
                    "plan_component",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="catalog.plancomponent",
                    ),
                ),
            ],
            options={
                "db_table": "catalog_plan_price",
                "indexes": [
                    models.Index(
                        fields=["plan_component", "valid_from", "id"], name="catalog_plan_price_in_force"
                    )
                ],
            },
        ),
        migrations.RunSQL(EXISTING, migrations.RunSQL.noop),
        protect("catalog_category_group", public_catalog("true", owner="")),
        protect("catalog_offering_private", tenant()),
        protect("catalog_offering_picture", through("catalog_offering", "offering_id")),
        protect("catalog_plan_price", through("catalog_offering", "offering_id")),
        migrations.RunSQL(NEVER_CHANGED, migrations.RunSQL.noop),
        change("catalog_offering", public_catalog(SEEN)),
    ]
