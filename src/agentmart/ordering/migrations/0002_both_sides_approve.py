import django.db.models.deletion
from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import protect, shared, tenant


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0002_custom_code_and_owners_write"),
        ("identity", "0002_quotas"),
        ("ordering", "0001_initial"),
        ("resources", "0002_orders_change_resources"),
    ]

    operations = [
        migrations.CreateModel(
            name="ApprovalRule",
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
                    "side",
                    models.CharField(
                        choices=[("consumer", "Consumer"), ("provider", "Provider")], max_length=10
                    ),
                ),
                ("buyer_id", models.UUIDField(null=True)),
                ("role", models.CharField(blank=True, max_length=30)),
                ("cost_limit", models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                ("enabled", models.BooleanField(default=True)),
                ("created_by_id", models.UUIDField(null=True)),
                ("created_by_username", models.CharField(blank=True, max_length=254)),
                ("created_by_full_name", models.CharField(blank=True, max_length=310)),
                ("modified_by_id", models.UUIDField(null=True)),
                ("modified_by_username", models.CharField(blank=True, max_length=254)),
                ("modified_by_full_name", models.CharField(blank=True, max_length=310)),
            ],
            options={
                "db_table": "ordering_approval_rule",
            },
        ),
        migrations.CreateModel(
            name="OrderComment",
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
                ("provider_customer_id", models.UUIDField()),
                ("side", models.CharField(max_length=10)),
                ("author_id", models.UUIDField(null=True)),
                ("author_name", models.CharField(max_length=254)),
                ("text", models.TextField()),
            ],
            options={
                "db_table": "ordering_order_comment",
            },
        ),
        migrations.RemoveConstraint(
            model_name="order",
            name="one_open_order_per_resource",
        ),
        migrations.RemoveConstraint(
            model_name="order",
            name="one_open_create_order_per_name",
        ),
        migrations.AddField(
            model_name="order",
            name="activation_price",
            field=models.DecimalField(decimal_places=4, default=0, max_digits=32),
        ),
        migrations.AddField(
            model_name="order",
            name="auto_approved",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="order",
            name="auto_approved_by_rule_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="auto_approved_cost_limit",
            field=models.DecimalField(decimal_places=4, max_digits=32, null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="backend_id",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name="order",
            name="callback_url",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="order",
            name="consumer_message",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="order",
            name="created_by_full_name",
            field=models.CharField(blank=True, max_length=310),
        ),
        migrations.AddField(
            model_name="order",
            name="currency",
            field=models.CharField(blank=True, max_length=3),
        ),
        migrations.AddField(
            model_name="order",
            name="error_traceback",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="order",
            name="executing_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="fixed_price",
            field=models.DecimalField(decimal_places=4, default=0, max_digits=32),
        ),
        migrations.AddField(
            model_name="order",
            name="new_cost_estimate",
            field=models.DecimalField(decimal_places=4, max_digits=32, null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="old_cost_estimate",
            field=models.DecimalField(decimal_places=4, default=0, max_digits=32),
        ),
        migrations.AddField(
            model_name="order",
            name="old_plan",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.plan"
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="output",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="order",
            name="provider_message",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="order",
            name="provider_message_url",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="order",
            name="slug",
            field=models.CharField(blank=True, max_length=50),
        ),
        migrations.AddField(
            model_name="order",
            name="start_date",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="subtype",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "None"),
                    ("switch_plan", "Plan"),
                    ("update_limits", "Limits"),
                    ("update_options", "Options"),
                ],
                default="",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="termination_comment",
            field=models.TextField(blank=True),
        ),
        migrations.AlterField(
            model_name="order",
            name="cost",
            field=models.DecimalField(decimal_places=4, max_digits=32, null=True),
        ),
        migrations.AlterField(
            model_name="order",
            name="state",
            field=models.CharField(
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
                db_index=True,
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="type",
            field=models.CharField(
                choices=[
                    ("Create", "Create"),
                    ("Update", "Update"),
                    ("Terminate", "Terminate"),
                    ("Restore", "Restore"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        (
                            "pending-consumer",
                            "pending-project",
                            "pending-start-date",
                            "pending-provider",
                            "executing",
                        ),
                    )
                ),
                fields=("resource",),
                name="one_open_order_per_resource",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        (
                            "pending-consumer",
                            "pending-project",
                            "pending-start-date",
                            "pending-provider",
                            "executing",
                        ),
                    ),
                    ("type", "Create"),
                ),
                fields=("project", "offering", "resource_name"),
                name="one_open_create_order_per_name",
            ),
        ),
        migrations.AddField(
            model_name="approvalrule",
            name="category",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="catalog.category",
            ),
        ),
        migrations.AddField(
            model_name="approvalrule",
            name="customer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="identity.customer"
            ),
        ),
        migrations.AddField(
            model_name="approvalrule",
            name="offering",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="catalog.offering",
            ),
        ),
        migrations.AddField(
            model_name="approvalrule",
            name="project",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="identity.project",
            ),
        ),
        migrations.AddField(
            model_name="ordercomment",
            name="order",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="comments", to="ordering.order"
            ),
        ),
        protect("ordering_order_comment", shared()),
        protect("ordering_approval_rule", tenant()),
        migrations.RunSQL(
            "SELECT set_config('agentmart.system', 'on', true); "
            "UPDATE ordering_order SET executing_since = modified WHERE state = 'executing'; "
            "UPDATE ordering_order o SET currency = p.currency FROM catalog_plan p WHERE p.id = o.plan_id; "
            "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED",  # what is checked at the commit stands in the way of new indexes
            migrations.RunSQL.noop,
        ),
    ]
