"""No invoice comes to be final without having been a draft: its lines are checked on that way only."""

from django.db import migrations

BEGIN_AS_DRAFT = """
CREATE FUNCTION billing_begin_as_draft() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state NOT IN ('pending', 'pending_finalization') THEN
        RAISE EXCEPTION 'an invoice begins as a draft, not as %', NEW.state USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_invoice_begin_as_draft BEFORE INSERT ON billing_invoice
    FOR EACH ROW EXECUTE FUNCTION billing_begin_as_draft();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [migrations.RunSQL(BEGIN_AS_DRAFT, "DROP FUNCTION billing_begin_as_draft CASCADE")]
