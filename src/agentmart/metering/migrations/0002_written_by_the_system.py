"""Usage is read by both sides of a sale and written by the gateway and the system alone."""

from dataclasses import replace

from django.db import migrations

from agentmart.infra.rls import change, shared, system_only

FOR_BOTH_SIDES = replace(shared(), write=system_only().write)

KEEP_DEFAULT = """
CREATE TRIGGER metering_usage_event_default_no_truncate BEFORE TRUNCATE ON metering_usage_event_default
    FOR EACH STATEMENT EXECUTE FUNCTION agentmart_refuse_change()
"""


class Migration(migrations.Migration):
    dependencies = [("metering", "0001_initial")]

    operations = [
        change("metering_call_started", FOR_BOTH_SIDES),
        change("metering_call_flag", FOR_BOTH_SIDES),
        change("metering_usage_event", FOR_BOTH_SIDES),
        change("metering_usage_hour", FOR_BOTH_SIDES),
        migrations.RunSQL(
            KEEP_DEFAULT,
            "DROP TRIGGER metering_usage_event_default_no_truncate ON metering_usage_event_default",
        ),
    ]
