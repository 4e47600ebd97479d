"""Our own lints find what they are for, and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType

import pytest
from scripts.lints import reads, sizes, writes
from scripts.lints.__main__ import main

API = Path("src/agentmart/ordering/api.py")
SERVICES = Path("src/agentmart/ordering/services.py")


def lines(lint: ModuleType, path: Path, text: str) -> list[int]:
    return [finding.line for finding in lint.check(path, text, ast.parse(text))]


@pytest.mark.parametrize(
    "text",
    [
        "def get(self):\n    return Order.objects.filter(pk=1)",
        "def get(self):\n    return models.Order.objects.all()",
        "def get(self):\n    return Order._base_manager.get()",
        "class View:\n    def rows(self):\n        queryset = Order.objects\n        return queryset",
    ],
)
def test_reads_in_entry_points_are_found(text: str):
    for path in (API, Path("src/agentmart/ordering/tasks.py"), Path("src/agentmart/portal/buyer/views.py")):
        assert len(lines(reads, path, text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "def get(self):\n    return Order.objects.visible_to(self.actor).get()",
        "class View:\n    queryset = Order.objects.select_related('plan')",
        "class Body:\n    plan = Relation(queryset=Plan.objects, required=False)",
        "rows = self.objects\nthings = request.objects",
        "total = Order.objects.count()  # lint: allow reads (a number without a tenant)",
    ],
)
def test_narrowed_and_declared_reads_are_fine(text: str):
    assert lines(reads, API, text) == []


def test_services_and_selectors_may_read():
    assert lines(reads, SERVICES, "Order.objects.get()") == []


def test_a_waiver_needs_a_reason():
    assert lines(reads, API, "Order.objects.count()  # lint: allow reads ()") == [1]


@pytest.mark.parametrize(
    "text",
    [
        "Order.objects.create(name='x')",
        "Order.objects.filter(pk=1).update(name='x')",
        "Order.objects.filter(pk=1).exclude(pk=2).delete()",
        "order.save()",
        "self.order.delete()",
    ],
)
def test_writes_outside_services_are_found(text: str):
    assert lines(writes, API, text) == [1]
    assert lines(writes, Path("src/agentmart/ordering/selectors.py"), text) == [1]
    assert lines(writes, SERVICES, text) == []
    assert lines(writes, Path("src/agentmart/ordering/services/place_order.py"), text) == []


def test_writing_another_modules_rows_is_found_even_in_services():
    text = "from agentmart.resources.models import Resource\nResource.objects.create()"
    assert lines(writes, SERVICES, text) == [2]
    assert lines(writes, Path("src/agentmart/resources/services.py"), text) == []


@pytest.mark.parametrize(
    "text",
    [
        "names.update({})",
        "super().save()",
        "cache.delete_many()",
        "serializer.create_order()",
        "hash.update(b'')",
    ],
)
def test_what_only_looks_like_a_write_is_fine(text: str):
    assert lines(writes, API, text) == []


def test_migrations_and_plumbing_may_write():
    assert lines(writes, Path("src/agentmart/ordering/migrations/0002_fill.py"), "row.save()") == []
    assert lines(writes, Path("src/agentmart/infra/audit.py"), "Entry.objects.create()") == []


def test_long_functions_and_files_are_found():
    body = "\n".join(["    x = 1"] * 60)
    assert lines(sizes, API, f"def long():\n{body}") == [1]
    assert lines(sizes, API, f"async def long():\n{body}") == [1]
    assert lines(sizes, API, "def fine():\n" + "\n".join(["    x = 1"] * 59)) == []
    assert lines(sizes, API, "\n".join(["x = 1"] * 501)) == [1]
    assert lines(sizes, API, "\n".join(["x = 1"] * 500)) == []


def test_the_command_fails_on_a_finding_and_names_the_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "agentmart" / "ordering"
    folder.mkdir(parents=True)
    assert main([str(tmp_path)]) == 0
    (folder / "api.py").write_text("x = 1\nOrder.objects.get()\n")
    assert main([str(tmp_path)]) == 1
    assert "api.py:2: reads: Order.objects in an entry point" in capsys.readouterr().out
