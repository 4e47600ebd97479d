"""Reports over a month find its invoices without reading the others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_credit_notes_and_proofs")]

    operations = [
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["year", "month"], name="billing_invoice_month"),
        ),
    ]
