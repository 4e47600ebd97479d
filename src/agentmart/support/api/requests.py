"""What the desk is sent."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from agentmart.identity.models import Customer, Project, User
from agentmart.infra.rest import HexUUIDField, Relation
from agentmart.resources.models import Resource
from agentmart.support.api.fields import MAX_TEXT, FoldedChoice
from agentmart.support.models import Issue
from agentmart.support.states import IssueState, IssueType, Priority

MAX_SUMMARY = 255
MOST_AT_ONCE = 100


def _orders() -> Any:
    """Return the orders: rows of a sibling module, known here by the foreign key alone."""
    return Issue._meta.get_field("order").related_model._default_manager


class OrderRelation(Relation):
    """An order; its model is looked up when it is asked for."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(view_name="marketplace-order-detail", **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """Return the order that the URL or uuid names."""
        self.queryset = _orders()
        return super().to_internal_value(data)


def _text(**kwargs: Any) -> serializers.CharField:
    return serializers.CharField(max_length=MAX_TEXT, **kwargs)


class IssueCreateSerializer(serializers.Serializer[Any]):
    """An issue as it is opened."""

    summary = serializers.CharField(max_length=MAX_SUMMARY)
    type = FoldedChoice(choices=IssueType.choices, default=IssueType.SERVICE_REQUEST)
    description = _text(required=False, allow_blank=True)
    priority = FoldedChoice(choices=Priority.choices, required=False)
    customer = Relation(
        view_name="customer-detail", queryset=Customer.objects, required=False, allow_null=True
    )
    project = Relation(view_name="project-detail", queryset=Project.objects, required=False, allow_null=True)
    resource = Relation(
        view_name="marketplace-resource-detail", queryset=Resource.objects, required=False, allow_null=True
    )
    order = OrderRelation(required=False, allow_null=True)
    caller = Relation(view_name="user-detail", queryset=User.objects, required=False, allow_null=True)
    assignee = Relation(view_name="user-detail", queryset=User.objects, required=False, allow_null=True)
    first_comment = _text(required=False, allow_blank=True)


class IssueUpdateSerializer(serializers.Serializer[Any]):
    """What the desk changes of an issue."""

    summary = serializers.CharField(max_length=MAX_SUMMARY)
    type = FoldedChoice(choices=IssueType.choices, required=False)
    description = _text(required=False, allow_blank=True)
    priority = FoldedChoice(choices=Priority.choices, required=False)
    assignee = Relation(view_name="user-detail", queryset=User.objects, required=False, allow_null=True)


class StatusSerializer(serializers.Serializer[Any]):
    """The status an issue gets."""

    status = FoldedChoice(choices=IssueState.choices)


class ResolveSerializer(serializers.Serializer[Any]):
    """How an issue was solved, and a word to the customer."""

    resolution = _text(required=False, allow_blank=True)
    comment = _text(required=False, allow_blank=True)


class ReopenSerializer(serializers.Serializer[Any]):
    """Why an issue is not solved."""

    comment = _text(required=False, allow_blank=True)


class EscalateSerializer(serializers.Serializer[Any]):
    """Why an issue is urgent."""

    reason = _text()


class FeedbackGivenSerializer(serializers.Serializer[Any]):
    """How well an issue was handled."""

    evaluation = serializers.IntegerField(min_value=1, max_value=5)
    comment = _text(required=False, allow_blank=True)


class BulkUpdateSerializer(serializers.Serializer[Any]):
    """What several issues get."""

    issue_uuids = serializers.ListField(child=HexUUIDField(), allow_empty=False, max_length=MOST_AT_ONCE)
    status = FoldedChoice(choices=IssueState.choices, required=False)
    priority = FoldedChoice(choices=Priority.choices, required=False)
    assignee = Relation(view_name="user-detail", queryset=User.objects, required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a request that changes nothing."""
        if not set(attrs) - {"issue_uuids"}:
            raise serializers.ValidationError("Give at least one of status, priority, assignee.")
        return attrs


class CommentWriteSerializer(serializers.Serializer[Any]):
    """A comment as it is written."""

    description = _text()
    is_public = serializers.BooleanField(required=False, default=True)


class CommentUpdateSerializer(serializers.Serializer[Any]):
    """What changes of a comment."""

    description = _text()
    is_public = serializers.BooleanField(required=False)


class AttachmentWriteSerializer(serializers.Serializer[Any]):
    """A file, as multipart form."""

    issue = Relation(view_name="support-issue-detail", queryset=Issue.objects)
    file = serializers.FileField(allow_empty_file=True, max_length=1000)


class TargetSerializer(serializers.Serializer[Any]):
    """What is promised for one priority, in minutes of the desk's calendar."""

    priority = FoldedChoice(choices=Priority.choices)
    response_minutes = serializers.IntegerField(min_value=1, max_value=90 * 24 * 60)
    resolution_minutes = serializers.IntegerField(min_value=1, max_value=90 * 24 * 60)


class TargetsSerializer(serializers.Serializer[Any]):
    """What is promised, for the priorities that are to change."""

    targets = TargetSerializer(many=True, allow_empty=False)

    def validate_targets(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Refuse a priority that is named twice."""
        if len({row["priority"] for row in value}) < len(value):
            raise serializers.ValidationError("Name each priority once.")
        return value
