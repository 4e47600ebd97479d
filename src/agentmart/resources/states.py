"""States of a resource."""

from django.db.models import TextChoices


class ResourceState(TextChoices):
    """How a live instance is."""

    CREATING = "Creating"
    OK = "OK"
    ERRED = "Erred"
    UPDATING = "Updating"
    TERMINATING = "Terminating"
    TERMINATED = "Terminated"


C, K, E, U, T, X = ResourceState

TRANSITIONS: dict[ResourceState, frozenset[ResourceState]] = {
    C: frozenset({K, E, X}),
    K: frozenset({U, T, E}),
    E: frozenset({C, K, T}),  # a repeated creation, a provider's word, its end
    U: frozenset({K, E}),
    T: frozenset({X, E}),
    X: frozenset(),
}
