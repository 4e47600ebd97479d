"""Tables of the support desk: issues, comments, attachments, and what answer is promised how soon."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import models

from agentmart.identity.models import BUYERS, Customer, Project, User
from agentmart.infra.actors import Actor
from agentmart.infra.models import BaseModel, ScopedQuerySet
from agentmart.resources.models import Resource
from agentmart.support import sla
from agentmart.support.states import OPEN, RUNNING, IssueState, IssueType, Priority


class IssueQuerySet(ScopedQuerySet["Issue"]):
    """Issues: one's own, and those of customers that one speaks for as a whole."""

    def visible_to(self, actor: Actor) -> IssueQuerySet:
        """Return the issues the actor may see; operator roles must have been narrowed to those that see all."""
        if actor.is_operator:
            return self
        return self.filter(
            models.Q(caller_id=actor.user_id) | models.Q(customer_id__in=actor.customers_as(BUYERS))
        )


class Issue(BaseModel):
    """What somebody asks the desk for, from open to closed, with the clocks of the promised answer.

    `modified` moves with every change; deadlines are kept as moments, so that lists need no calendar.
    """

    number = models.BigIntegerField(unique=True)
    key = models.CharField(max_length=30, unique=True)
    type = models.CharField(max_length=20, choices=IssueType.choices, default=IssueType.SERVICE_REQUEST)
    summary = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    priority = models.CharField(max_length=10, choices=Priority.choices, default=Priority.MEDIUM)
    state = models.CharField(max_length=30, choices=IssueState.choices, default=IssueState.OPEN)
    resolution = models.TextField(blank=True)
    caller = models.ForeignKey(User, on_delete=models.PROTECT, related_name="called_issues")
    reporter = models.ForeignKey(User, on_delete=models.PROTECT, related_name="reported_issues")
    assignee = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="assigned_issues")
    customer = models.ForeignKey(Customer, on_delete=models.SET_NULL, null=True, related_name="issues")
    project = models.ForeignKey(Project, on_delete=models.SET_NULL, null=True, related_name="issues")
    resource = models.ForeignKey(Resource, on_delete=models.SET_NULL, null=True, related_name="issues")
    order = models.ForeignKey("ordering.Order", on_delete=models.SET_NULL, null=True, related_name="issues")
    resolved_at = models.DateTimeField(null=True)
    feedback = models.JSONField(null=True)  # {"evaluation": 1..5, "comment": text}, said once by the caller

    response_minutes = models.PositiveIntegerField()  # the promise as it was when the priority was set
    resolution_minutes = models.PositiveIntegerField()
    first_response_deadline = models.DateTimeField()
    resolution_deadline = models.DateTimeField()
    response_at_risk_after = models.DateTimeField()
    resolution_at_risk_after = models.DateTimeField()
    first_response_at = models.DateTimeField(null=True)
    clock_stopped_at = models.DateTimeField(null=True)  # waiting for the customer, or ended
    paused_seconds = models.BigIntegerField(default=0)  # working time that earlier stops took
    response_warned_at = models.DateTimeField(null=True)
    resolution_warned_at = models.DateTimeField(null=True)
    response_breached_at = models.DateTimeField(null=True)
    resolution_breached_at = models.DateTimeField(null=True)
    sla_breached = models.BooleanField(default=False)
    is_escalated = models.BooleanField(default=False)
    escalated_at = models.DateTimeField(null=True)
    escalation_reason = models.TextField(blank=True)

    objects = IssueQuerySet.as_manager()

    class Meta:
        db_table = "support_issue"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state__in=IssueState.values), name="support_issue_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(priority__in=Priority.values), name="support_issue_priority_known"
            ),
        )
        indexes = (
            models.Index(
                fields=["response_at_risk_after"],
                condition=models.Q(state__in=OPEN, first_response_at=None),
                name="support_issue_unanswered",
            ),
            models.Index(
                fields=["resolution_at_risk_after"],
                condition=models.Q(state__in=RUNNING),
                name="support_issue_running",
            ),
            models.Index(
                fields=["resolved_at"],
                condition=models.Q(state=IssueState.RESOLVED),
                name="support_issue_resolved",
            ),
        )

    def __str__(self) -> str:
        return self.key

    @property
    def is_open(self) -> bool:
        """Return whether somebody still has something to do."""
        return self.state in OPEN

    @property
    def paused(self) -> timedelta:
        """Return the working time in which the resolution clock stood still."""
        return timedelta(seconds=self.paused_seconds)

    def clocks(self) -> sla.Clocks:
        """Return what was promised and what came of it."""
        return sla.Clocks(
            response=sla.Due(self.first_response_deadline, self.response_at_risk_after),
            resolution=sla.Due(self.resolution_deadline, self.resolution_at_risk_after),
            open=self.is_open,
            answered_at=self.first_response_at,
            stopped_at=self.clock_stopped_at,
        )


class PartQuerySet(models.QuerySet[Any]):
    """Parts of issues, seen with their issue."""

    def visible_to(self, actor: Actor) -> PartQuerySet:
        """Return the parts of the issues the actor may see."""
        if actor.is_operator:
            return self
        return self.filter(issue__in=Issue.objects.visible_to(actor))


class CommentQuerySet(PartQuerySet):
    """Comments; those among operators are for operators."""

    def visible_to(self, actor: Actor) -> CommentQuerySet:
        """Return the comments the actor may see."""
        if actor.is_operator:
            return self
        return self.filter(is_public=True, issue__in=Issue.objects.visible_to(actor))


class Comment(BaseModel):
    """What somebody says about an issue: to the customer, or (not public) among operators."""

    issue = models.ForeignKey(Issue, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="issue_comments")
    description = models.TextField()
    is_public = models.BooleanField(default=True)

    objects = CommentQuerySet.as_manager()

    class Meta:
        db_table = "support_comment"

    def __str__(self) -> str:
        return f"comment on {self.issue}"


class Attachment(BaseModel):
    """A file of an issue. Its content lies in the same row, under the same row-level security; lists defer it."""

    issue = models.ForeignKey(Issue, on_delete=models.CASCADE, related_name="attachments")
    uploader = models.ForeignKey(User, on_delete=models.PROTECT, related_name="issue_attachments")
    file_name = models.CharField(max_length=150)
    mime_type = models.CharField(max_length=100)
    file_size = models.PositiveIntegerField()
    content = models.BinaryField()

    objects = PartQuerySet.as_manager()

    class Meta:
        db_table = "support_attachment"

    def __str__(self) -> str:
        return self.file_name


class SlaTarget(BaseModel):
    """How soon issues of one priority are answered and resolved, in minutes of the desk's calendar."""

    priority = models.CharField(max_length=10, choices=Priority.choices, unique=True)
    response_minutes = models.PositiveIntegerField()
    resolution_minutes = models.PositiveIntegerField()

    class Meta:
        db_table = "support_sla_target"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(response_minutes__gte=1, resolution_minutes__gte=1),
                name="support_sla_target_positive",
            ),
        )

    def __str__(self) -> str:
        return f"{self.priority}: {self.response_minutes}/{self.resolution_minutes} min"
