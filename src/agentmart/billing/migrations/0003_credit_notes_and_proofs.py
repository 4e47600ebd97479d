"""Credit notes, files that show payments, and final states that lead nowhere else."""

from dataclasses import replace

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import protect, system_only, tenant

FOR_BUYER = replace(tenant(), write=system_only().write)

KEEP_STATES = """
CREATE FUNCTION billing_keep_final_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> NEW.state AND NOT (OLD.state = 'created' AND NEW.state IN ('paid', 'canceled')) THEN
        RAISE EXCEPTION 'invoice % is final: it does not go from % to %', OLD.number, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'canceled' AND OLD.state <> 'canceled'
        AND NOT EXISTS (SELECT 1 FROM billing_credit_note n WHERE n.invoice_id = NEW.id AND n.total = NEW.total) THEN
        RAISE EXCEPTION 'invoice % is final: it is canceled by a credit note over all of it', OLD.number
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state IN ('paid', 'canceled')
        AND (OLD.amount_paid, OLD.payment_date) IS DISTINCT FROM (NEW.amount_paid, NEW.payment_date) THEN
        RAISE EXCEPTION 'invoice % is final and %: what was paid does not change', OLD.number, OLD.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_invoice_keep_final_state BEFORE UPDATE ON billing_invoice FOR EACH ROW
    WHEN (OLD.state IN ('created', 'paid', 'canceled')) EXECUTE FUNCTION billing_keep_final_state();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0002_invoices_begin_as_drafts"),
    ]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="proof",
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name="payment",
            name="proof_name",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="payment",
            name="proof_type",
            field=models.CharField(blank=True, max_length=50),
        ),
        migrations.CreateModel(
            name="CreditNote",
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
                ("issuer_id", models.UUIDField()),
                ("number", models.PositiveIntegerField()),
                ("issued_on", models.DateField()),
                ("reason", models.CharField(max_length=500)),
                ("currency", models.CharField(max_length=3)),
                ("price", models.DecimalField(decimal_places=4, max_digits=24)),
                ("tax", models.DecimalField(decimal_places=4, max_digits=24)),
                ("total", models.DecimalField(decimal_places=4, max_digits=24)),
                (
                    "invoice",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_note",
                        to="billing.invoice",
                    ),
                ),
            ],
            options={
                "db_table": "billing_credit_note",
                "constraints": [
                    models.UniqueConstraint(fields=("issuer_id", "number"), name="credit_note_number_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "price",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("total"), "-", models.F("tax")
                                ),
                            )
                        ),
                        name="credit_note_total_is_price_plus_tax",
                    ),
                ],
            },
        ),
        protect("billing_credit_note", FOR_BUYER, append_only=True),
        migrations.RunSQL(KEEP_STATES, "DROP FUNCTION billing_keep_final_state CASCADE"),
    ]
