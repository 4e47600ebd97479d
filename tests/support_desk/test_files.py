"""Files of issues: sent as a form, checked, kept in the database, sent back to be saved."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.support.market import member, ok, operator
from tests.support.world import Api, World
from tests.support_desk.conftest import Time
from tests.support_desk.desk import FILES, ISSUES, customer_of, opened, path_of
from waldur_api_client.models.attachment import Attachment as ClientAttachment

from agentmart.identity.models import Role
from agentmart.infra import tenancy
from agentmart.infra.models import AuditEntry
from agentmart.support.models import Attachment
from agentmart.support.services import files

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def send(api: Api, issue: str, name: str = "shot.png", content: bytes = PNG, media: str = "image/png") -> Any:
    """Send a file as the client does: as a multipart form."""
    form = {"issue": issue, "file": SimpleUploadedFile(name, content, content_type=media)}
    return api._client.post(FILES, form, headers=api._headers)


def test_a_file_is_kept_and_sent_back(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world)
    kept = ok(send(world.buyer.api, issue["url"]), 201)
    path = f"{FILES}{kept['uuid']}/"
    assert kept == {
        "url": f"http://testserver{path}",
        "uuid": kept["uuid"],
        "issue": f"http://testserver{path_of(issue)}",
        "issue_uuid": issue["uuid"],
        "issue_key": issue["key"],
        "file": f"http://testserver{path}file/",
        "file_name": "shot.png",
        "mime_type": "image/png",
        "file_size": 264,
        "uploader_uuid": world.buyer.user.uuid,
        "uploader_name": "boris",
        "backend_id": "",
        "created": time.text(),
        "destroy_is_available": True,
    }
    assert ClientAttachment.from_dict(kept).file_size == 264
    assert ok(world.buyer.api.get(FILES)) == [kept] == [ok(world.buyer.api.get(path))]
    sent = world.operator.api._client.get(
        urlsplit(kept["file"]).path, headers={**world.operator.api._headers, "Accept": "image/*"}
    )
    assert (sent.status_code, sent.content) == (200, PNG)
    assert sent["Content-Type"] == "application/octet-stream"
    assert sent["Content-Disposition"] == 'attachment; filename="shot.png"'
    assert sent["X-Content-Type-Options"] == "nosniff"
    assert sent["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert sent["Cache-Control"] == "private, no-store"
    with tenancy.as_system("test"):
        entry = AuditEntry.objects.get(action="issue.file_attached")
    assert entry.after == {"issue": issue["key"], "file_name": "shot.png", "file_size": 264}
    assert entry.customer_id == customer_of(world).id


def test_what_the_sender_says_of_the_type_does_not_count(world: World) -> None:
    issue = opened(world.buyer.api, world)
    kept = ok(send(world.buyer.api, issue["uuid"], media="text/html"), 201)
    assert kept["mime_type"] == "image/png"
    sent = world.buyer.api.get(urlsplit(kept["file"]).path)
    assert sent["Content-Type"] == "application/octet-stream"


def test_a_name_that_is_no_plain_text(world: World) -> None:
    issue = opened(world.buyer.api, world)
    kept = ok(send(world.buyer.api, issue["uuid"], "Übersicht €.png"), 201)
    assert kept["file_name"] == "Übersicht €.png"
    sent = world.buyer.api.get(urlsplit(kept["file"]).path)
    assert sent["Content-Disposition"] == "attachment; filename*=utf-8''%C3%9Cbersicht%20%E2%82%AC.png"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("shot.png", b"", "The file is empty."),
        ("shot.jpg", PNG, "The content of shot.jpg is not what .jpg says."),
        ("page.png", b"<html>", "The content of page.png is not what .png says."),
        ("big.png", PNG + b"x", "The file has 265 bytes; at most 264 are accepted."),
    ],
)
def test_files_that_are_not_accepted(
    world: World, settings: Any, name: str, content: bytes, said: str
) -> None:
    settings.SUPPORT_ATTACHMENT_MAX_BYTES = len(PNG)
    issue = opened(world.buyer.api, world)
    answer = send(world.buyer.api, issue["uuid"], name, content)
    assert (answer.status_code, answer.json()) == (400, {"file": [said]})
    assert ok(world.buyer.api.get(FILES)) == []


def test_programs_and_pages_are_not_accepted(world: World) -> None:
    issue = opened(world.buyer.api, world)
    for name in ("run.exe", "page.html", "drawing.svg"):
        answer = send(world.buyer.api, issue["uuid"], name)
        assert answer.status_code == 400
        assert answer.json()["file"][0].startswith("Files of this kind are not accepted; send one of png,")


def test_ten_megabytes_pass_and_a_byte_more_does_not(world: World) -> None:
    issue = opened(world.buyer.api, world)
    most = 10 * 1024 * 1024
    content = PNG + bytes(most - len(PNG))
    assert ok(send(world.buyer.api, issue["uuid"], content=content), 201)["file_size"] == most
    answer = send(world.buyer.api, issue["uuid"], content=content + b"x")
    assert answer.json() == {"file": [f"The file has {most + 1} bytes; at most {most} are accepted."]}
    huge = send(world.buyer.api, issue["uuid"], content=content + bytes(2 * 1024 * 1024))
    assert (huge.status_code, huge.json()["code"]) == (413, "request_too_large")


def test_a_body_without_a_file(world: World) -> None:
    issue = opened(world.buyer.api, world)
    answer = world.buyer.api.post(FILES, {"issue": issue["uuid"], "file": "text"})
    assert answer.status_code == 400
    assert answer.json() == {
        "file": ["The submitted data was not a file. Check the encoding type on the form."]
    }
    answer = world.buyer.api.post(FILES)
    assert answer.json() == {"issue": ["This field is required."], "file": ["No file was submitted."]}


def test_who_may_send_and_see(world: World) -> None:
    issue = opened(world.buyer.api, world)
    kept = ok(send(world.buyer.api, issue["uuid"]), 201)
    path, content = f"{FILES}{kept['uuid']}/", urlsplit(kept["file"]).path
    answer = send(world.stranger.api, issue["uuid"])
    assert (answer.status_code, answer.json()) == (
        400,
        {"issue": ["Invalid hyperlink - Object does not exist."]},
    )
    for api in (
        world.stranger.api,
        operator("is_catalog_manager"),
        member(world.buyer.customer, Role.PROJECT_ADMIN, world.buyer.project),
    ):
        assert [api.get(place).status_code for place in (path, content)] == [404, 404]
        assert api.delete(path).status_code == 404
    finance = operator("is_finance")
    assert [finance.get(place).status_code for place in (path, content)] == [200, 200]
    assert send(finance, issue["uuid"]).status_code == 403
    assert finance.delete(path).status_code == 403
    assert world.visitor.get(content).status_code == 401
    colleague = member(world.buyer.customer, Role.CUSTOMER_SUPPORT)
    other = ok(send(colleague, issue["uuid"], "other.png"), 201)
    assert world.buyer.api.delete(f"{FILES}{other['uuid']}/").status_code == 403
    assert operator("is_support").delete(path).status_code == 403
    assert world.buyer.api.delete(path).status_code == 204
    assert world.operator.api.delete(f"{FILES}{other['uuid']}/").status_code == 204
    assert ok(world.operator.api.get(FILES)) == []
    with tenancy.as_system("test"):
        assert AuditEntry.objects.filter(action="issue.file_deleted").count() == 2


def test_an_issue_has_at_most_fifty_files(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_FILES", 2)
    issue = opened(world.buyer.api, world)
    for _ in range(2):
        ok(send(world.buyer.api, issue["uuid"]), 201)
    answer = send(world.buyer.api, issue["uuid"])
    assert (answer.status_code, answer.json()) == (
        409,
        {
            "detail": f"{issue['key']} has 2 files already; remove one first.",
            "code": "too_many_files",
            "extra": {"limit": 2},
        },
    )


def test_lists_and_details_never_read_a_content(world: World) -> None:
    issue = opened(world.buyer.api, world)
    kept = ok(send(world.buyer.api, issue["uuid"]), 201)
    with CaptureQueriesContext(connection) as seen:
        ok(world.buyer.api.get(FILES, issue=path_of(issue), file_name="SHOT", o="-file_size"))
        ok(world.buyer.api.get(f"{FILES}{kept['uuid']}/"))
    assert [query["sql"] for query in seen if '"content"' in query["sql"]] == []
    assert ok(world.buyer.api.get(FILES, issue_uuid=kept["uuid"])) == []


def test_files_go_with_their_issue(world: World) -> None:
    issue = opened(world.buyer.api, world)
    ok(send(world.buyer.api, issue["uuid"]), 201)
    assert world.operator.api.delete(f"{ISSUES}{issue['uuid']}/").status_code == 204
    with tenancy.as_system("test"):
        assert Attachment.objects.count() == 0
