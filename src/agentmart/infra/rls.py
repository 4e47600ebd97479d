"""Row-level security: the policies tables carry, as migration operations.

The application sets `agentmart.customer_ids` (comma-separated UUIDs), `agentmart.user_id` and, for operators and
jobs, `agentmart.system` = `on` with SET LOCAL (see `tenancy`). Unset means no rows:
`current_setting(…, true)` is then NULL or empty. Every setting stands in a sub-select of its own, so that PostgreSQL
asks for it once a statement and not once a row.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.migrations.operations import RunSQL

from agentmart.contracts.tables import APP_ROLE, GATEWAY_PRIVILEGES, GATEWAY_ROLE

_IDS = "string_to_array(NULLIF(current_setting('agentmart.customer_ids', true), ''), ',')::uuid[]"
_MINE = f"ANY ((SELECT {_IDS})::uuid[])"  # the cast makes it one array, not rows
_ME = "(SELECT NULLIF(current_setting('agentmart.user_id', true), '')::uuid)"
_SYSTEM = "(SELECT current_setting('agentmart.system', true) = 'on')"


@dataclass(frozen=True, slots=True)
class Policy:
    """How a table's rows are admitted: `read` and `write` are SQL conditions over its columns."""

    name: str
    read: str
    write: str


def tenant(column: str = "customer_id") -> Policy:
    """Admit rows of the actor's own customers."""
    rule = f"{_SYSTEM} OR {column} = {_MINE}"
    return Policy("tenant", rule, rule)


def personal(owner: str, column: str = "customer_id") -> Policy:
    """Admit rows of the actor's own customers, and rows of no customer that belong to the person in `owner`."""
    rule = f"{_SYSTEM} OR {column} = {_MINE} OR ({column} IS NULL AND {owner} = {_ME})"
    return Policy("personal", rule, rule)


def personally(owner: str) -> Policy:
    """Admit rows of the person in `owner` alone."""
    rule = f"{_SYSTEM} OR {owner} = {_ME}"
    return Policy("personally", rule, rule)


def part_of(parent_table: str, parent_column: str, condition: str = "true") -> Policy:
    """Admit rows that meet `condition` and whose parent row is admitted, for reading and writing."""
    parent = f"SELECT 1 FROM {parent_table} p WHERE p.id = {parent_column}"  # noqa: S608
    rule = f"{_SYSTEM} OR ({condition} AND EXISTS ({parent}))"
    return Policy("part", rule, rule)


def read_by_all() -> Policy:
    """Let everybody read; only the system writes."""
    return Policy("read_by_all", "true", _SYSTEM)


def shared(buyer: str = "customer_id", provider: str = "provider_customer_id") -> Policy:
    """Admit rows that either side of a sale shares: the buyer's customer or the provider's."""
    rule = f"{_SYSTEM} OR {buyer} = {_MINE} OR {provider} = {_MINE}"
    return Policy("shared", rule, rule)


def public_catalog(condition: str, owner: str = "customer_id") -> Policy:
    """Let everybody read rows that meet `condition`; the system, and the customer in `owner`, read and write theirs."""
    rule = f"{_SYSTEM} OR {owner} = {_MINE}" if owner else _SYSTEM
    return Policy("public_catalog", f"{rule} OR {condition}", rule)


def login(owner: str = "") -> Policy:
    """Tables needed before anybody is known (people, tokens, roles): the application reads all of them.

    Written by the system, and by the customer in column `owner` where the table has one.
    """
    return Policy("login", "true", f"{_SYSTEM} OR {owner} = {_MINE}" if owner else _SYSTEM)


def system_only() -> Policy:
    """Rows only the system flag admits."""
    return Policy("system_only", _SYSTEM, _SYSTEM)


def through(parent_table: str, parent_column: str, owner: str = "customer_id") -> Policy:
    """Let read whose parent row is admitted (the parent's own policy decides); the parent's `owner` writes.

    Reading a parent is not owning it: a public offering is read by everybody.
    """
    parent = f"SELECT 1 FROM {parent_table} p WHERE p.id = {parent_column}"  # noqa: S608
    return Policy(
        "through_parent",
        f"{_SYSTEM} OR EXISTS ({parent})",
        f"{_SYSTEM} OR EXISTS ({parent} AND p.{owner} = {_MINE})",
    )


def protect(table: str, policy: Policy, *, append_only: bool = False) -> RunSQL:
    """Return the migration operation that puts a table under forced row-level security with its policy.

    `append_only` tables also lose UPDATE, DELETE and TRUNCATE: by privilege for the application, by trigger for all.
    The gateway's role gets what `contracts.tables.GATEWAY_PRIVILEGES` lists, unconditionally: it serves all tenants.
    """
    statements = [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY {policy.name}_read ON {table} FOR SELECT USING ({policy.read})",
        f"CREATE POLICY {policy.name}_insert ON {table} FOR INSERT WITH CHECK ({policy.write})",
        f"CREATE POLICY {policy.name}_update ON {table} FOR UPDATE USING ({policy.write}) WITH CHECK ({policy.write})",
        f"CREATE POLICY {policy.name}_delete ON {table} FOR DELETE USING ({policy.write})",
    ]
    if append_only:
        statements += [
            f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {APP_ROLE}",
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION agentmart_refuse_change()",
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION agentmart_refuse_change()",
        ]
    privileges = GATEWAY_PRIVILEGES.get(table)
    if privileges:
        statements += [
            f"GRANT {', '.join(privileges)} ON {table} TO {GATEWAY_ROLE}",
            f"CREATE POLICY gateway ON {table} TO {GATEWAY_ROLE} USING (true) WITH CHECK (true)",
        ]
    return RunSQL(";\n".join(statements), reverse_sql=f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


def change(table: str, policy: Policy) -> RunSQL:
    """Return the migration operation that gives a protected table's policy of the same name new conditions."""
    statements = [
        f"ALTER POLICY {policy.name}_read ON {table} USING ({policy.read})",
        f"ALTER POLICY {policy.name}_insert ON {table} WITH CHECK ({policy.write})",
        f"ALTER POLICY {policy.name}_update ON {table} USING ({policy.write}) WITH CHECK ({policy.write})",
        f"ALTER POLICY {policy.name}_delete ON {table} USING ({policy.write})",
    ]
    return RunSQL(";\n".join(statements), reverse_sql=RunSQL.noop)


def seal(partition: str) -> str:
    """Return the SQL that closes a partition to direct access: rows go through the parent table and its policy."""
    return (
        f"REVOKE ALL ON {partition} FROM {APP_ROLE}; "
        f"ALTER TABLE {partition} ENABLE ROW LEVEL SECURITY; ALTER TABLE {partition} FORCE ROW LEVEL SECURITY"
    )


FOUNDATION_SQL = f"""
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APP_ROLE};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {APP_ROLE};
GRANT USAGE ON SCHEMA public TO {APP_ROLE}, {GATEWAY_ROLE};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP_ROLE};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {APP_ROLE};
CREATE FUNCTION agentmart_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed; book a correction instead', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
"""
"""What the first migration runs: privileges of later tables and the trigger of append-only ones."""
