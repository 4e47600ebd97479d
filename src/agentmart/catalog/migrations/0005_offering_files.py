import django.db.models.deletion
from django.db import migrations, models

import agentmart.kit.ids
from agentmart.infra.rls import protect, through


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0005_stamps_of_parts"),
    ]

    operations = [
        migrations.CreateModel(
            name="OfferingFile",
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
                    "kind",
                    models.CharField(choices=[("screenshot", "Screenshot"), ("file", "File")], max_length=10),
                ),
                ("name", models.CharField(max_length=150)),
                ("description", models.TextField(blank=True)),
                ("file_name", models.CharField(blank=True, max_length=150)),
                ("content_type", models.CharField(max_length=100)),
                ("data", models.BinaryField()),
                (
                    "offering",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="files",
                        to="catalog.offering",
                    ),
                ),
            ],
            options={
                "db_table": "catalog_offering_file",
            },
        ),
        protect("catalog_offering_file", through("catalog_offering", "offering_id")),
    ]
