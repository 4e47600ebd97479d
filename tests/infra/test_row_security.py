"""Every table stands under row-level security, or is named here with the reason why not."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from django.apps import apps
from django.db import connection, transaction
from tests.support.world import World, make_world

from agentmart.infra import tenancy
from agentmart.infra.actors import ANONYMOUS, Actor, RoleGrant

pytestmark = pytest.mark.django_db

WITHOUT_TENANT = {
    "auth_group": "Django's own, unused: roles are ours",
    "auth_group_permissions": "likewise",
    "auth_permission": "likewise",
    "django_content_type": "names of tables",
    "django_session": "a session key is the secret that finds its row",
    "identity_user_groups": "Django's own, unused",
    "identity_user_user_permissions": "Django's own, unused",
    "procrastinate_jobs": "arguments are ids; jobs run as the system",
    "procrastinate_events": "times of jobs",
    "procrastinate_periodic_defers": "times of periodic jobs",
    "procrastinate_workers": "heartbeats",
    "web_keyed_call": "a view of access_idempotent_call with that table's policy (tests/web/test_admin.py)",
    "web_usage_by_hour": "a view of metering_usage_hour with that table's policy (tests/web/test_admin.py)",
    "web_usage_by_key": "a view of metering_usage_part with that table's policy (tests/web/test_admin.py)",
}

EMPTY_FOR_VISITORS = "SELECT count(*) FROM {}"


def tables() -> list[str]:
    """Return the tables of every model, many-to-many ones included."""
    return sorted({model._meta.db_table for model in apps.get_models(include_auto_created=True)})


def test_every_table_is_protected_or_named_with_a_reason() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity")
        protected = {name for (name,) in cursor.fetchall()}
        cursor.execute("SELECT tablename, count(*) FROM pg_policies GROUP BY 1")
        policies = dict(cursor.fetchall())
    walked = tables()
    assert [name for name in walked if name not in protected] == sorted(WITHOUT_TENANT)
    assert [name for name in walked if name in protected and policies.get(name, 0) < 4] == []
    print(f"row security: {len(walked)} tables walked, {len(walked) - len(WITHOUT_TENANT)} protected")


def test_the_application_role_can_not_step_around() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False, False)
        cursor.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user"
        )
        assert cursor.fetchone() == (0,)


def test_partitions_cannot_be_read_past_their_parent() -> None:
    with (
        pytest.raises(Exception, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT count(*) FROM metering_usage_event_default")


SETTING_ASKED_ONCE = re.compile(
    r"SELECT \(current_setting\('agentmart\.system'|SELECT \(string_to_array\(NULLIF\(current_setting\("
    r"|SELECT \(NULLIF\(current_setting\('agentmart\.user_id'"
)


def test_policies_ask_for_a_setting_once_a_statement() -> None:
    """A bare current_setting() runs for every row that a statement looks at; in a sub-select it runs once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename, policyname, concat(qual, with_check) FROM pg_policies "
            "WHERE concat(qual, with_check) LIKE '%current_setting%'"
        )
        rules = {(table, name): rule for table, name, rule in cursor.fetchall()}
    by_row = [
        key
        for key, rule in rules.items()
        if rule.count("current_setting(") != len(SETTING_ASKED_ONCE.findall(rule))
    ]
    assert by_row == []
    assert len(rules) > 100


def test_a_count_asks_whose_rows_before_it_reads_any() -> None:
    tenancy.enter(Actor(grants=(RoleGrant(UUID(int=7), "CUSTOMER.OWNER"),)))
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN SELECT count(*) FROM metering_usage_hour")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "InitPlan" in plan
    assert "current_setting" not in plan


@pytest.fixture
def world() -> World:
    return make_world()


def test_without_the_application_s_filter_nothing_foreign_is_seen(world: World) -> None:
    """Raw reads of every tenant table as the stranger: only rows of the stranger's own customer."""
    assert world.stranger.customer is not None and world.buyer.customer is not None
    stranger = Actor(
        user_id=world.stranger.user.id,
        grants=(RoleGrant(world.stranger.customer.id, "CUSTOMER.OWNER"),),
    )
    tenancy.enter(stranger)
    seen: dict[str, set[UUID]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns WHERE column_name = 'customer_id' "
            "AND table_schema = 'public' AND table_name = ANY(%s)",
            [tables()],
        )
        names = [name for (name,) in cursor.fetchall()]
        for name in names:
            if name in ("identity_membership", "catalog_service_provider"):
                continue  # login table and public catalogue
            cursor.execute(f"SELECT DISTINCT customer_id FROM {name}")
            seen[name] = {row[0] for row in cursor.fetchall()}
    assert set().union(*seen.values()) <= {world.stranger.customer.id}
    assert seen["identity_project"] == {world.stranger.customer.id}


def test_unset_tenancy_sees_no_rows(world: World) -> None:
    tenancy.enter(ANONYMOUS)
    with connection.cursor() as cursor:
        for name in ("identity_customer", "identity_project", "infra_audit_entry"):
            cursor.execute(f"SELECT count(*) FROM {name}")
            assert cursor.fetchone() == (0,)


def test_writing_a_foreign_row_is_refused(world: World) -> None:
    assert world.stranger.customer is not None and world.buyer.customer is not None
    tenancy.enter(Actor(grants=(RoleGrant(world.stranger.customer.id, "CUSTOMER.OWNER"),)))
    with (
        pytest.raises(Exception, match="row-level security"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "INSERT INTO identity_project (id, created, modified, customer_id, name, description) "
            "VALUES (gen_random_uuid(), now(), now(), %s, 'x', '')",
            [world.buyer.customer.id],
        )
    with connection.cursor() as cursor:
        cursor.execute("UPDATE identity_customer SET name = 'x' WHERE id = %s", [world.buyer.customer.id])
        assert cursor.rowcount == 0


def test_the_audit_log_cannot_be_changed(world: World) -> None:
    with tenancy.as_system("test"):
        for statement in ("UPDATE infra_audit_entry SET action = 'x'", "DELETE FROM infra_audit_entry"):
            with pytest.raises(Exception, match="permission denied"), transaction.atomic():
                connection.cursor().execute(statement)
