"""Events say how the call went: status, where its time went, bytes, model; unknown for what was stored before."""

from django.db import migrations, models

COLUMNS = """
ALTER TABLE metering_usage_event
    ADD COLUMN http_status smallint,
    ADD COLUMN queue_ms integer CHECK (queue_ms >= 0),
    ADD COLUMN runtime_ms integer CHECK (runtime_ms >= 0),
    ADD COLUMN first_token_ms integer CHECK (first_token_ms >= 0),
    ADD COLUMN bytes_in bigint CHECK (bytes_in >= 0),
    ADD COLUMN bytes_out bigint CHECK (bytes_out >= 0),
    ADD COLUMN model varchar(120) NOT NULL DEFAULT ''
"""
NO_COLUMNS = """
ALTER TABLE metering_usage_event
    DROP COLUMN http_status, DROP COLUMN queue_ms, DROP COLUMN runtime_ms, DROP COLUMN first_token_ms,
    DROP COLUMN bytes_in, DROP COLUMN bytes_out, DROP COLUMN model
"""
NAMES = {
    "http_status": models.SmallIntegerField(null=True),
    "queue_ms": models.IntegerField(null=True),
    "runtime_ms": models.IntegerField(null=True),
    "first_token_ms": models.IntegerField(null=True),
    "bytes_in": models.BigIntegerField(null=True),
    "bytes_out": models.BigIntegerField(null=True),
    "model": models.CharField(max_length=120, default=""),
}


class Migration(migrations.Migration):
    dependencies = [("metering", "0004_hours_by_time")]

    operations = [
        migrations.RunSQL(
            COLUMNS,
            NO_COLUMNS,
            state_operations=[
                migrations.AddField(model_name="usageevent", name=name, field=field)
                for name, field in NAMES.items()
            ],
        ),
    ]
