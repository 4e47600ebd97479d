"""Details of customers, projects and people; several tokens per person; invitations."""

from decimal import Decimal

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import protect, tenant

NOTE_USE = """
CREATE FUNCTION identity_note_token_use(token uuid, moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    before text := current_setting('agentmart.system', true);
BEGIN
    PERFORM set_config('agentmart.system', 'on', true);
    UPDATE identity_api_token SET last_used_at = moment, use_count = use_count + 1
    WHERE id = (SELECT id FROM identity_api_token WHERE id = token FOR UPDATE SKIP LOCKED);
    PERFORM set_config('agentmart.system', coalesce(before, ''), true);
END $$;
"""
# One statement, because it stands in the way of every request; a row that somebody else notes just now is left.

KEEP_LOGINS = """
SELECT set_config('agentmart.system', 'on', true);
UPDATE identity_api_token SET login = true;
SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0002_quotas"),
    ]

    operations = [
        migrations.CreateModel(
            name="Invitation",
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
                    "role",
                    models.CharField(
                        choices=[
                            ("CUSTOMER.OWNER", "Customer Owner"),
                            ("CUSTOMER.MANAGER", "Customer Manager"),
                            ("CUSTOMER.SUPPORT", "Customer Support"),
                            ("PROJECT.ADMIN", "Project Admin"),
                            ("PROJECT.MANAGER", "Project Manager"),
                            ("PROJECT.MEMBER", "Project Member"),
                            ("OFFERING.MANAGER", "Offering Manager"),
                        ],
                        max_length=30,
                    ),
                ),
                ("email", models.EmailField(max_length=254)),
                ("full_name", models.CharField(blank=True, max_length=150)),
                ("native_name", models.CharField(blank=True, max_length=150)),
                ("phone_number", models.CharField(blank=True, max_length=255)),
                ("organization", models.CharField(blank=True, max_length=255)),
                ("job_title", models.CharField(blank=True, max_length=150)),
                ("extra_invitation_text", models.CharField(blank=True, max_length=250)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("accepted", "Accepted"),
                            ("canceled", "Canceled"),
                            ("expired", "Expired"),
                            ("rejected", "Rejected"),
                        ],
                        default="pending",
                        max_length=10,
                    ),
                ),
                ("serial", models.PositiveIntegerField(default=1)),
                ("expires_at", models.DateTimeField()),
                (
                    "sending",
                    models.CharField(
                        choices=[("Scheduled", "Scheduled"), ("OK", "Ok"), ("Erred", "Erred")],
                        default="Scheduled",
                        max_length=10,
                    ),
                ),
                ("error_message", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "db_table": "identity_invitation",
            },
        ),
        migrations.AddField(
            model_name="apitoken",
            name="last_used_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="apitoken",
            name="login",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="apitoken",
            name="name",
            field=models.CharField(blank=True, max_length=150),
        ),
        migrations.AddField(
            model_name="apitoken",
            name="prefix",
            field=models.CharField(blank=True, max_length=8),
        ),
        migrations.AddField(
            model_name="apitoken",
            name="scope",
            field=models.CharField(choices=[("all", "All"), ("read", "Read")], default="all", max_length=10),
        ),
        migrations.AddField(
            model_name="apitoken",
            name="use_count",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="customer",
            name="abbreviation",
            field=models.CharField(blank=True, max_length=50),
        ),
        migrations.AddField(
            model_name="customer",
            name="accounting_start_date",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="customer",
            name="agreement_number",
            field=models.CharField(blank=True, max_length=160),
        ),
        migrations.AddField(
            model_name="customer",
            name="backend_id",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name="customer",
            name="bank_account",
            field=models.CharField(blank=True, max_length=50),
        ),
        migrations.AddField(
            model_name="customer",
            name="bank_name",
            field=models.CharField(blank=True, max_length=150),
        ),
        migrations.AddField(
            model_name="customer",
            name="billing_source",
            field=models.CharField(default="direct", max_length=20),
        ),
        migrations.AddField(
            model_name="customer",
            name="city",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name="customer",
            name="contact_details",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="customer",
            name="default_tax_percent",
            field=models.DecimalField(decimal_places=2, default=Decimal("0"), max_digits=5),
        ),
        migrations.AddField(
            model_name="customer",
            name="description",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="customer",
            name="homepage",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name="customer",
            name="native_name",
            field=models.CharField(blank=True, max_length=160),
        ),
        migrations.AddField(
            model_name="customer",
            name="notification_emails",
            field=models.CharField(blank=True, max_length=1000),
        ),
        migrations.AddField(
            model_name="customer",
            name="phone_number",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name="customer",
            name="postal",
            field=models.CharField(blank=True, max_length=20),
        ),
        migrations.AddField(
            model_name="customer",
            name="registration_code",
            field=models.CharField(blank=True, max_length=160),
        ),
        migrations.AddField(
            model_name="customer",
            name="street",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name="membership",
            name="created_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="backend_id",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name="project",
            name="end_date",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="project",
            name="kind",
            field=models.CharField(
                choices=[("default", "Default"), ("course", "Course"), ("public", "Public")],
                default="default",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="removed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="project",
            name="start_date",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="project",
            name="type",
            field=models.CharField(blank=True, max_length=150),
        ),
        migrations.AddField(
            model_name="user",
            name="description",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="user",
            name="job_title",
            field=models.CharField(blank=True, max_length=150),
        ),
        migrations.AddField(
            model_name="user",
            name="native_name",
            field=models.CharField(blank=True, max_length=150),
        ),
        migrations.AddField(
            model_name="user",
            name="notifications_enabled",
            field=models.BooleanField(default=True),
        ),
        migrations.AddField(
            model_name="user",
            name="organization",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name="user",
            name="phone_number",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name="user",
            name="preferred_language",
            field=models.CharField(blank=True, max_length=10),
        ),
        migrations.AddField(
            model_name="user",
            name="registration_method",
            field=models.CharField(default="default", max_length=50),
        ),
        migrations.AddField(
            model_name="user",
            name="token_lifetime",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="apitoken",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="api_tokens",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="apitoken",
            constraint=models.UniqueConstraint(
                condition=models.Q(("login", True)), fields=("user",), name="one_login_token_per_person"
            ),
        ),
        migrations.AddField(
            model_name="invitation",
            name="accepted_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="invitation",
            name="created_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="invitation",
            name="customer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="invitations",
                to="identity.customer",
            ),
        ),
        migrations.AddField(
            model_name="invitation",
            name="project",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="invitations",
                to="identity.project",
            ),
        ),
        protect("identity_invitation", tenant()),
        migrations.RunSQL(NOTE_USE, "DROP FUNCTION identity_note_token_use"),
        migrations.RunSQL(KEEP_LOGINS, migrations.RunSQL.noop),
    ]
