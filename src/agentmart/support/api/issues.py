"""REST: issues."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity.permissions import require, viewer
from agentmart.infra import clock
from agentmart.infra.actors import Actor
from agentmart.infra.rest import (
    FLAGS,
    ApiViewSet,
    BadFilter,
    Filter,
    by_choice,
    by_flag,
    by_moment,
    by_text,
    by_uuid,
    by_words,
    fold,
    parse_uuid,
)
from agentmart.kit.errors import Forbidden
from agentmart.support import services
from agentmart.support.api import requests
from agentmart.support.api.answers import CommentSerializer, IssueSerializer
from agentmart.support.models import Issue
from agentmart.support.selectors import PRIORITY_RANK, is_late, name_column
from agentmart.support.services import rights
from agentmart.support.states import ENDED, OPEN, STATE_NAMES, STATUS_NAMES, IssueType, Priority

TYPE_NAMES = {fold(kind.value): (kind.value,) for kind in IssueType}
PRIORITY_NAMES = {fold(priority.value): (priority.value,) for priority in Priority}
Rows = QuerySet[Any]


def by_assignee(rows: Rows, values: list[str]) -> Rows:
    """Leave issues of these assignees; `none` means of nobody."""
    ids = [parse_uuid(value) for value in values if fold(value) != "none"]
    if None in ids:
        raise BadFilter("Enter a valid UUID, or none.")
    found = rows.filter(assignee_id__in=ids)
    return found | rows.filter(assignee=None) if len(ids) < len(values) else found


def _flag(values: list[str]) -> set[bool]:
    """Return what a yes/no parameter asks for; raises BadFilter."""
    if any(value.lower() not in FLAGS for value in values):
        raise BadFilter("Must be a valid boolean.")
    return {FLAGS[value.lower()] for value in values}


def by_openness(rows: Rows, values: list[str]) -> Rows:
    """Leave issues that are open, or not."""
    wanted = _flag(values)
    return rows.filter(state__in=[*(OPEN if True in wanted else ()), *(ENDED if False in wanted else ())])


def by_lateness(rows: Rows, values: list[str]) -> Rows:
    """Leave issues whose promise was broken by now, or not."""
    wanted = _flag(values)
    if len(wanted) == 2:
        return rows
    late = is_late(clock.now())
    return rows.filter(late if True in wanted else ~late)


def by_never(rows: Rows, values: list[str]) -> Rows:
    """Leave nothing where somebody asks for what no issue here is."""
    return rows if False in _flag(values) else rows.none()


def by_month(rows: Rows, values: list[str]) -> Rows:
    """Leave issues resolved in these months (2026-03)."""
    found = rows.none()
    for value in values:
        year, _, month = value.partition("-")
        try:
            first = date(int(year), int(month), 1)
        except (ValueError, OverflowError):
            raise BadFilter("Enter a month like 2026-03.") from None
        found |= rows.filter(resolved_at__year=first.year, resolved_at__month=first.month)
    return found


def by_person(column: str) -> Filter:
    """Return a filter on a part of a person's name."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        return by_words("person")(rows.annotate(person=name_column(f"{column}__")), values)

    return Filter(apply, {"type": "string"}, "A part of the name, case ignored.")


FLAG = {"type": "boolean"}


class IssueViewSet(ApiViewSet):
    """What people ask the desk for."""

    queryset = Issue.objects.select_related(
        "caller", "reporter", "assignee", "customer", "project", "resource", "order"
    )
    serializer_class = IssueSerializer
    filters = {
        "state": by_choice("state", STATE_NAMES),
        "status": by_choice("state", STATUS_NAMES),
        "is_open": Filter(by_openness, FLAG),
        "type": by_choice("type", TYPE_NAMES),
        "priority": by_choice("priority", PRIORITY_NAMES),
        "sla_breached": Filter(by_lateness, FLAG),
        "is_escalated": by_flag("is_escalated"),
        "assignee": Filter(by_assignee, {"type": "string"}, "A uuid, URL or path; `none`: of nobody."),
        "assignee_name": by_person("assignee"),
        "caller": by_uuid("caller_id"),
        "caller_full_name": by_person("caller"),
        "reporter": by_uuid("reporter_id"),
        "reporter_name": by_person("reporter"),
        "customer": by_uuid("customer_id"),
        "customer_uuid": by_uuid("customer_id"),
        "project": by_uuid("project_id"),
        "project_uuid": by_uuid("project_id"),
        "resource": by_uuid("resource_id"),
        "resource_uuid": by_uuid("resource_id"),
        "order": by_uuid("order_id"),
        "provider_uuid": by_uuid("resource__provider_customer_id"),
        "key": by_text("key"),
        "summary": by_text("summary"),
        "query": by_words("key", "summary", "description"),
        "resolution_year_month": Filter(by_month, {"type": "string"}, "A month, like 2026-03."),
        "is_parent": Filter(by_never, FLAG),
        "is_routed": Filter(by_never, FLAG),
        "created": by_moment("created"),
        "created_before": by_moment("created", "lt"),
        "modified": by_moment("modified"),
        "modified_before": by_moment("modified", "lt"),
    }
    orderings = {
        "assignee_name": "assignee_shown",
        "caller_first_name": "caller__first_name",
        "caller_last_name": "caller__last_name",
        "created": "created",
        "customer_name": "customer__name",
        "key": "number",
        "modified": "modified",
        "priority": "priority_rank",
        "project_name": "project__name",
        "remote_id": "number",
        "reporter_name": "reporter_shown",
        "status": "state",
        "summary": "summary",
        "type": "type",
    }
    bodies = {
        "create": requests.IssueCreateSerializer,
        "partial_update": requests.IssueUpdateSerializer,
        "comment": requests.CommentWriteSerializer,
        "resolve": requests.ResolveSerializer,
        "reopen": requests.ReopenSerializer,
        "set_status": requests.StatusSerializer,
        "escalate": requests.EscalateSerializer,
        "feedback": requests.FeedbackGivenSerializer,
        "bulk_update": requests.BulkUpdateSerializer,
    }
    answers = {
        "create": (201, IssueSerializer),
        "destroy": (204, None),
        "comment": (201, CommentSerializer),
        "resolve": IssueSerializer,
        "reopen": IssueSerializer,
        "set_status": IssueSerializer,
        "escalate": IssueSerializer,
        "feedback": IssueSerializer,
        "bulk_update": IssueSerializer(many=True),
    }

    def viewer(self) -> Actor:
        """Return the actor; catalog managers see their own issues only."""
        return viewer(self.actor, "issue.see")

    def visible(self) -> Rows:
        """Return the rows the actor may see, with what the list sorts by."""
        rows = super().visible()
        if self.action != "list":
            return rows
        sortable: Rows = rows.annotate(
            priority_rank=PRIORITY_RANK,
            assignee_shown=name_column("assignee__"),
            reporter_shown=name_column("reporter__"),
        )
        return sortable

    def shown(self, issue_id: UUID, *, status: int = 200) -> Response:
        """Return the issue as it stands now."""
        return self.answer(self.visible().get(pk=issue_id), status=status)

    def create(self, request: Request) -> Response:
        """Open an issue."""
        self._require_own_words()
        parts = ("customer", "project", "resource", "order")
        named = {name: self.named(requests.IssueCreateSerializer, name) for name in parts}
        if not any(named.values()):
            rights.require_open(self.actor, None, None)
        body = self.body()
        place = services.place_of(self.actor, **{name: body.pop(name, None) for name in parts})
        issue = services.open_issue(actor=self.actor, now=self.now, place=place, **body)
        return self.shown(issue.id, status=201)

    def _require_own_words(self) -> None:
        """Raise Forbidden where somebody who is not of the desk names another caller, or an assignee."""
        if rights.handles(self.actor):
            return
        caller, assignee = (self.payload.get(name) for name in ("caller", "assignee"))
        if caller and parse_uuid(caller) != self.actor.user_id:
            raise Forbidden("Only staff and support may open issues for others.", extra={"field": "caller"})
        if assignee:
            raise Forbidden("Only staff and support may assign issues.", extra={"field": "assignee"})

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change an issue, or who works on it."""
        issue = self.get_object()
        require(self.actor, "issue.handle")
        changes = self.body(partial=True)
        services.update_issue(issue, changes, actor=self.actor, now=self.now)
        return self.shown(issue.id)

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Remove an issue with its comments and files."""
        services.delete_issue(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=204)

    @action(detail=True, methods=["post"])
    def comment(self, request: Request, **kwargs: Any) -> Response:
        """Say something about an issue."""
        issue = self.get_object()
        rights.require_comment(self.actor, issue)
        body = self.body()
        made = services.comment(issue, **body, actor=self.actor, now=self.now)
        answer = CommentSerializer(made, context=self.get_serializer_context())
        return Response(answer.data, status=201)

    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, **kwargs: Any) -> Response:
        """Note that an issue is solved."""
        issue = self._to_handle(OPEN)
        services.resolve_issue(issue, **self.body(), actor=self.actor, now=self.now)
        return self.shown(issue.id)

    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, **kwargs: Any) -> Response:
        """Say that an issue is not solved."""
        issue = self.get_object()
        rights.require_comment(self.actor, issue)
        services.require_state(issue, ENDED)
        services.reopen_issue(issue, **self.body(), actor=self.actor, now=self.now)
        return self.shown(issue.id)

    @action(detail=True, methods=["post"])
    def set_status(self, request: Request, **kwargs: Any) -> Response:
        """Move an issue to one of its available statuses."""
        issue = self.get_object()
        require(self.actor, "issue.handle")
        services.set_status(issue, self.body()["status"], actor=self.actor, now=self.now)
        return self.shown(issue.id)

    @action(detail=True, methods=["post"])
    def escalate(self, request: Request, **kwargs: Any) -> Response:
        """Mark an issue as urgent."""
        issue = self._to_handle(OPEN)
        services.escalate_issue(issue, self.body()["reason"], actor=self.actor, now=self.now)
        return self.shown(issue.id)

    @action(detail=True, methods=["post"])
    def feedback(self, request: Request, **kwargs: Any) -> Response:
        """Judge how one's issue was handled."""
        issue = self.get_object()
        if not rights.is_caller(self.actor, issue):
            raise Forbidden("Only the caller may judge how an issue was handled.")
        services.require_state(issue, ENDED)
        services.give_feedback(issue, **self.body(), actor=self.actor, now=self.now)
        return self.shown(issue.id)

    @action(detail=False, methods=["post"])
    def bulk_update(self, request: Request) -> Response:
        """Change several issues at once, all of them or none."""
        require(self.actor, "issue.handle")
        changes = self.body()
        ids = changes.pop("issue_uuids")
        services.bulk_update(ids, changes, actor=self.actor, now=self.now)
        rows = self.visible().filter(pk__in=ids).order_by("number")
        return Response(self.get_serializer(rows, many=True).data)

    def _to_handle(self, states: Any) -> Issue:
        """Return the issue of the address for the desk; 404, then 403, then 409 unless in one of the states."""
        issue: Issue = self.get_object()
        require(self.actor, "issue.handle")
        services.require_state(issue, states)
        return issue
