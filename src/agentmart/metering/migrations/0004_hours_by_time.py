"""Reports over a range find its hourly sums; they are written in the order of time, so that a few bytes do."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("metering", "0003_usage_people_report")]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX metering_usage_hour_time ON metering_usage_hour USING brin (hour) WITH (pages_per_range = 32)",
            reverse_sql="DROP INDEX metering_usage_hour_time",
        ),
    ]
