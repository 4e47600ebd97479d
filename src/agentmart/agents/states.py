"""States of an agent."""

from django.db.models import TextChoices


class AgentState(TextChoices):
    """How far an agent is on its way to being sold."""

    DRAFT = "draft"
    VALIDATED = "validated"  # has at least one imported version
    PUBLISHED = "published"
    UNPUBLISHED = "unpublished"


TRANSITIONS: dict[AgentState, frozenset[AgentState]] = {
    AgentState.DRAFT: frozenset({AgentState.VALIDATED}),
    AgentState.VALIDATED: frozenset({AgentState.PUBLISHED}),
    AgentState.PUBLISHED: frozenset({AgentState.UNPUBLISHED}),
    AgentState.UNPUBLISHED: frozenset({AgentState.PUBLISHED}),
}
