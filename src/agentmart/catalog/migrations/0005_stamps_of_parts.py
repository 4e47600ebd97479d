"""A stamp on each offering that moves with every change of its components, plans and prices."""

from django.db import migrations, models

PARTS = ("catalog_offering_component", "catalog_plan", "catalog_plan_component")

STAMPS = """
CREATE SEQUENCE catalog_parts_stamp_seq;
CREATE FUNCTION catalog_stamp_parts() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    before text := coalesce(current_setting('agentmart.system', true), 'off');
BEGIN -- whoever writes a part, its offering is stamped
    PERFORM set_config('agentmart.system', 'on', true);
    UPDATE catalog_offering SET parts_stamp = nextval('catalog_parts_stamp_seq')
    WHERE id IN (SELECT offering_id FROM changed);
    PERFORM set_config('agentmart.system', before, true);
    RETURN NULL;
END $$;
""" + "".join(
    f"""
CREATE TRIGGER {table}_stamped_{event.lower()} AFTER {event} ON {table}
REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION catalog_stamp_parts();
"""
    for table in PARTS
    for event, rows in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
)

NO_STAMPS = (
    "".join(
        f"DROP TRIGGER {table}_stamped_{event} ON {table};"
        for table in PARTS
        for event in ("insert", "update", "delete")
    )
    + "DROP FUNCTION catalog_stamp_parts(); DROP SEQUENCE catalog_parts_stamp_seq;"
)


class Migration(migrations.Migration):
    dependencies = [("catalog", "0004_providers_say_whether_they_are_told")]

    operations = [
        migrations.AddField("offering", "parts_stamp", models.BigIntegerField(default=0)),
        migrations.RunSQL(STAMPS, NO_STAMPS),
    ]
