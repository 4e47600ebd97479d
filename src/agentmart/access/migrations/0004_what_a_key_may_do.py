"""Keys with origins, networks and caps of their own; Grants that carry them and the buyer's budget."""

from django.contrib.postgres.indexes import GinIndex
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0003_idempotent_calls")]

    operations = [
        migrations.AddField("apikey", "allowed_origins", models.JSONField(default=list)),
        migrations.AddField("apikey", "allowed_ips", models.JSONField(default=list)),
        migrations.AddField("apikey", "limits", models.JSONField(default=dict)),
        migrations.AddField("apikey", "public_text", models.TextField(blank=True)),
        migrations.AddField("apikey", "last_used_at", models.DateTimeField(null=True)),
        migrations.AddField("grantrow", "key_limits", models.JSONField(null=True)),
        migrations.AddField("grantrow", "budget", models.JSONField(null=True)),
        migrations.AddField("grantrow", "allowed_origins", models.JSONField(default=list)),
        migrations.AddField("grantrow", "allowed_ips", models.JSONField(default=list)),
        migrations.AddIndex(
            "grantrow",
            GinIndex(
                fields=["allowed_origins"],
                name="access_grant_origins",
                condition=models.Q(kind="publishable"),
            ),
        ),
        migrations.AddConstraint(
            "apikey",
            models.CheckConstraint(
                condition=models.Q(kind="publishable") | models.Q(public_text=""),
                name="access_no_secret_key_is_kept",
            ),
        ),
    ]
