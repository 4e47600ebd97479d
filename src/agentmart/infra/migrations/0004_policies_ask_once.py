"""Policies ask for a setting once a statement, by a sub-select, and no longer once a row."""

import re
from typing import Any

from django.db import migrations

SETTINGS = (
    r"\(current_setting\('agentmart\.system'::text, true\) = 'on'::text\)",
    r"\(string_to_array\(NULLIF\(current_setting\('agentmart\.customer_ids'::text, true\), ''::text\), ','::text\)\)"
    r"::uuid\[\]",
    r"\(NULLIF\(current_setting\('agentmart\.user_id'::text, true\), ''::text\)\)::uuid",
)
"""How PostgreSQL shows the conditions that policies were made with."""

BARE = re.compile(rf"(?<!SELECT )({'|'.join(SETTINGS)})")
POLICIES = """
SELECT quote_ident(tablename), quote_ident(policyname), qual, with_check FROM pg_policies
WHERE schemaname = current_schema() AND concat(qual, with_check) LIKE '%current_setting%'
"""


def asked_once(condition: str) -> str:
    """Return a policy's condition with every setting in a sub-select; one that is stays as it is."""
    return BARE.sub(_selected, condition)


def _selected(found: re.Match[str]) -> str:
    """Return a sub-select; the cast keeps `= ANY` comparing with one array."""
    cast = "::uuid[]" if "string_to_array" in found[0] else ""
    return f"(SELECT {found[0]}){cast}"


def rewrite(apps: Any, schema_editor: Any) -> None:
    """Give every policy that asks for a setting its new conditions."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(POLICIES)
        policies = cursor.fetchall()
    for table, policy, *conditions in policies:
        parts = [
            f"{word} ({asked_once(condition)})"
            for word, condition in zip(("USING", "WITH CHECK"), conditions, strict=True)
            if condition is not None
        ]
        schema_editor.execute(f"ALTER POLICY {policy} ON {table} {' '.join(parts)}", None)


class Migration(migrations.Migration):
    dependencies = [("infra", "0003_login_attempts")]

    operations = [migrations.RunPython(rewrite, migrations.RunPython.noop)]
