"""Screenshots and files of offerings, and tags, over the paths of Waldur's client."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from tests.support.desk import desk
from tests.support.market import OFFERINGS, category, member, ok, operator
from tests.support.world import Api, World
from waldur_api_client.models import OfferingFile as ClientFile
from waldur_api_client.models import PublicOfferingDetails
from waldur_api_client.models import Screenshot as ClientScreenshot

from agentmart.catalog.models import OfferingFile
from agentmart.catalog.services import files
from agentmart.identity.models import Role
from agentmart.infra import tenancy
from agentmart.infra.models import AuditEntry

pytestmark = pytest.mark.django_db

SCREENSHOTS = "/api/marketplace-screenshots/"
FILES = "/api/marketplace-offering-files/"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
GIF = b"GIF89a" + b"0" * 20


@pytest.fixture
def offering(world: World) -> str:
    return desk(world)["offering"]


def send(api: Api, path: str, **form: Any) -> Any:
    """The answer to a multipart form."""
    return api._client.post(path, form, headers=api._headers)


def screenshot(world: World, offering: str, **changes: Any) -> dict[str, Any]:
    body = {"name": "Start page", "offering": offering, "image": base64.b64encode(PNG).decode(), **changes}
    found: dict[str, Any] = ok(world.provider.api.post(SCREENSHOTS, body), 201)
    return found


def file(world: World, offering: str, **changes: Any) -> dict[str, Any]:
    form = {"name": "Manual", "offering": offering, "file": SimpleUploadedFile("manual.html", b"<b>Hi</b>")}
    found: dict[str, Any] = ok(send(world.provider.api, FILES, **form, **changes), 201)
    return found


def test_a_screenshot_is_kept_shown_changed_and_removed(world: World, offering: str) -> None:
    sent = SimpleUploadedFile("a.png", PNG, content_type="text/html")
    made = ok(
        send(
            world.provider.api, SCREENSHOTS, name="Start", offering=offering, image=sent, description="First"
        ),
        201,
    )
    assert (made["name"], made["description"], made["offering_uuid"]) == ("Start", "First", offering)
    assert made["customer_uuid"] == world.provider.customer.uuid  # type: ignore[union-attr]
    read = ClientScreenshot.from_dict(made)
    assert (read.uuid.hex, read.name, read.image) == (made["uuid"], "Start", made["image"])
    picture = world.visitor.get(made["image"])
    assert (picture.content, picture["Content-Type"], picture["X-Content-Type-Options"]) == (
        PNG,
        "image/png",
        "nosniff",
    )
    path = f"{SCREENSHOTS}{made['uuid']}/"
    gif = base64.b64encode(GIF).decode()
    changed = ok(world.provider.api.patch(path, {"name": "Home", "image": f"data:image/gif;base64,{gif}"}))
    assert (changed["name"], changed["description"]) == ("Home", "First")
    assert world.visitor.get(changed["image"])["Content-Type"] == "image/gif"
    assert list(ok(world.provider.api.put(path, {"name": "Home"}), 400)) == ["image"]
    shown = ok(world.visitor.get(f"{OFFERINGS}{offering}/"))
    assert [(row["uuid"], row["name"], row["description"]) for row in shown["screenshots"]] == [
        (made["uuid"], "Home", "First")
    ]
    assert world.visitor.get(shown["screenshots"][0]["image"]).content == GIF
    assert PublicOfferingDetails.from_dict(shown).screenshots[0].name == "Home"  # type: ignore[index, union-attr]
    assert world.provider.api.delete(path).status_code == 204
    assert world.visitor.get(path).status_code == 404
    assert ok(world.visitor.get(f"{OFFERINGS}{offering}/"))["screenshots"] == []
    with tenancy.as_system("test"):
        actions = AuditEntry.objects.filter(action__startswith="offering.file").order_by("at", "id")
        assert {row.action.rpartition("_")[2] for row in actions} == {"added", "changed", "removed"}


def test_a_file_is_sent_to_be_saved_never_as_a_page(world: World, offering: str) -> None:
    made = file(world, offering)
    read = ClientFile.from_dict(made)
    assert (read.uuid.hex, read.name, read.file) == (made["uuid"], "Manual", made["file"])  # type: ignore[union-attr]
    got = world.visitor.get(made["file"])
    assert (got.content, got["Content-Type"]) == (b"<b>Hi</b>", "application/octet-stream")
    assert got["Content-Disposition"] == 'attachment; filename="manual.html"'
    assert got["Content-Security-Policy"] == "default-src 'none'; sandbox"
    shown = ok(world.visitor.get(OFFERINGS, name="Desk"))[0]
    (row,) = shown["files"]
    assert (row["name"], row["created"]) == ("Manual", made["created"])
    assert world.visitor.get(row["file"]).content == b"<b>Hi</b>"
    assert world.provider.api.patch(f"{FILES}{made['uuid']}/", {"name": "X"}).status_code == 405
    assert (
        world.provider.api.get(f"{SCREENSHOTS}{made['uuid']}/").status_code == 404
    )  # each under its own path
    assert world.provider.api.delete(f"{FILES}{made['uuid']}/").status_code == 204


def test_what_is_not_accepted(world: World, offering: str, monkeypatch: pytest.MonkeyPatch) -> None:
    svg = base64.b64encode(b"<svg onload='alert(1)'/>").decode()
    body = {"name": "X", "offering": offering, "image": base64.b64encode(PNG).decode()}
    for changes, field in (
        ({"image": svg}, "image"),
        ({"image": "no base64"}, "image"),
        ({"name": ""}, "name"),
        ({"name": "x" * 151}, "name"),
        ({"offering": "0" * 32}, "offering"),
    ):
        refused = world.provider.api.post(SCREENSHOTS, {**body, **changes})
        assert (refused.status_code, list(refused.json())) == (400, [field]), changes
    empty = send(world.provider.api, FILES, name="X", offering=offering, file=SimpleUploadedFile("a", b""))
    assert (empty.status_code, list(empty.json())) == (400, ["file"])
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 5)
    large = send(
        world.provider.api, FILES, name="X", offering=offering, file=SimpleUploadedFile("a", b"123456")
    )
    assert (large.status_code, list(large.json())) == (400, ["file"])
    monkeypatch.setattr(files, "MOST", 1)
    screenshot(world, offering)
    full = world.provider.api.post(SCREENSHOTS, body)
    assert (full.status_code, full.json()["code"]) == (409, "too_many_files")
    with tenancy.as_system("test"):
        assert OfferingFile.objects.count() == 1


def test_they_are_seen_with_their_offering_and_written_by_who_sells_it(world: World, offering: str) -> None:
    made = screenshot(world, offering)
    path = f"{SCREENSHOTS}{made['uuid']}/"
    body = {"name": "X", "offering": offering, "image": "?"}
    manager = member(world.provider.customer, Role.OFFERING_MANAGER)
    ok(manager.patch(path, {"name": "Renamed"}))
    ok(operator("is_catalog_manager").patch(path, {"name": "Renamed again"}))
    for api in (world.buyer.api, world.stranger.api, operator("is_support")):
        assert api.post(SCREENSHOTS, body).status_code == 403
        assert api.patch(path, {"name": 1}).status_code == 403
        assert api.delete(path).status_code == 403
    assert world.visitor.post(SCREENSHOTS, body).status_code == 401
    ok(world.operator.api.post(f"{OFFERINGS}{offering}/draft/"))
    for other in (world.buyer.api, world.stranger.api, world.visitor):
        assert ok(other.get(SCREENSHOTS)) == []
        assert other.get(path).status_code == 404
        assert other.get(f"{path}image/").status_code == 404
    assert [row["uuid"] for row in ok(world.provider.api.get(SCREENSHOTS))] == [made["uuid"]]


def test_they_are_found_by_their_offering(world: World, offering: str) -> None:
    other = ok(
        world.provider.api.post(
            OFFERINGS, {"name": "Other", "type": "Marketplace.Basic", "category": category(world)}
        ),
        201,
    )
    first, second = screenshot(world, offering), screenshot(world, other["uuid"], name="Second")
    get = world.provider.api.get
    assert [row["uuid"] for row in ok(get(SCREENSHOTS))] == [first["uuid"], second["uuid"]]
    for query in ({"offering": other["url"]}, {"offering_uuid": other["uuid"]}, {"offering_slug": "other"}):
        assert [row["uuid"] for row in ok(get(SCREENSHOTS, **query))] == [second["uuid"]]
    assert [row["name"] for row in ok(get(SCREENSHOTS, o="-name"))] == ["Start page", "Second"]
    assert world.provider.api.head(SCREENSHOTS, name="start")["X-Result-Count"] == "1"


def test_offerings_are_found_by_their_tags(world: World) -> None:
    for name, tags in (("A", ["fast", "cheap"]), ("B", ["fast"]), ("C", [])):
        body = {"name": name, "type": "Marketplace.Basic", "category": category(world), "tags": tags}
        ok(world.provider.api.post(OFFERINGS, body), 201)

    def found(**query: Any) -> list[str]:
        return [row["name"] for row in ok(world.provider.api.get(OFFERINGS, o="name", **query))]

    assert found(tag_name="fast") == ["A", "B"]
    assert found(tag_name=["cheap", "unknown"]) == ["A"]
    assert found(tag_names_and="fast,cheap") == ["A"]
    assert found(tag_names_and="fast, ") == ["A", "B"]
    assert found(tag_name="fas") == []


def test_pictures_come_with_the_rest_of_an_offering(world: World) -> None:
    text = base64.b64encode(PNG).decode()
    body = {"name": "Help", "type": "Marketplace.Basic", "category": category(world)}
    row = ok(world.provider.api.post(OFFERINGS, {**body, "image": text, "thumbnail": None}), 201)
    path = f"{OFFERINGS}{row['uuid']}/"
    assert (world.provider.api.get(row["image"]).content, row["thumbnail"]) == (PNG, None)
    changed = ok(world.provider.api.patch(path, {"name": "Help!", "thumbnail": text, "image": None}))
    assert (changed["name"], changed["image"]) == ("Help!", None)
    assert world.provider.api.get(changed["thumbnail"]).content == PNG
    refused = world.provider.api.patch(path, {"name": "No", "image": "<svg/>"})
    assert (refused.status_code, list(refused.json())) == (400, ["image"])
    svg = base64.b64encode(b"<svg/>").decode()
    refused = world.provider.api.patch(path, {"name": "No", "image": svg})
    assert (refused.status_code, list(refused.json())) == (400, ["image"])
    assert ok(world.provider.api.get(path))["name"] == "Help!"
