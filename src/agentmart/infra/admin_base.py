"""What every page of the operators' back office (/admin/) shares.

Rows are shown, searched and filtered; nothing is written past a service. What a page may change goes through
`update`; what is dangerous is a `Deed`: asked once more on a page of its own, then carried out by a service as the
logged-in operator, whose audit entry it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from agentmart.infra import clock
from agentmart.infra.actors import Actor
from agentmart.infra.admin_columns import LinkedId, PlainAmount
from agentmart.infra.rest import parse_uuid
from agentmart.kit.errors import DomainError

MOST_COUNTED = 10_000
MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Deed:
    """A dangerous action on rows.

    `run` takes the row, `actor`, `now` and the answers to `questions`; what it returns is shown once, and is for
    secrets that must not go through a cookie. The page of a row offers it `when` it can be done; the service decides.
    """

    name: str
    title: str
    consequence: str
    run: Callable[..., str | None]
    questions: Mapping[str, forms.Field] = field(default_factory=dict)
    when: Callable[[Any], bool] = bool


def text_question(label: str, *, required: bool = False) -> forms.Field:
    """Return the question for a few lines of text."""
    return forms.CharField(
        label=label, required=required, max_length=300, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2})
    )


def word_question(label: str) -> forms.Field:
    """Return the question for a reference or name, which may stay empty."""
    return forms.CharField(label=label, required=False, max_length=100, widget=UnfoldAdminTextInputWidget())


def date_question(label: str) -> forms.Field:
    """Return the question for a day, which may stay empty."""
    return forms.DateField(label=label, required=False, widget=UnfoldAdminDateWidget())


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs only
    """Pages whose rows are counted up to a bound: a table of millions is searched, not paged through."""

    @cached_property
    def count(self) -> int:
        """Return the number of rows, at most MOST_COUNTED."""
        rows: Any = self.object_list
        counted: int = rows.order_by()[:MOST_COUNTED].count()
        return counted


class OperatorAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """A page of rows that staff look at; read-only but for `editable` fields and `deeds`."""

    deeds: tuple[Deed, ...] = ()
    editable: tuple[str, ...] = ()
    """Fields that `update` writes."""
    hidden: tuple[str, ...] = ()
    """Fields that are shown to nobody (hashes), or are too large for a page."""

    paginator = BoundedPaginator
    list_per_page = 50
    show_full_result_count = False
    list_filter_submit = True
    warn_unsaved_form = True
    compressed_fields = True
    change_form_outer_before_template = "infra/deeds.html"

    def update(self, row: Any, changes: Mapping[str, Any], *, actor: Actor, now: datetime) -> None:
        """Write changed `editable` fields by a service that checks and audits."""
        raise NotImplementedError

    # -- who may do what: the site lets in staff only

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the operator sees the module."""
        return True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the operator sees the rows."""
        return True

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Rows are born of services."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether any field is edited here."""
        return bool(self.editable)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows are ended by services."""
        return False

    # -- reading

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Return the rows without the columns that are not shown, in a stable order."""
        rows: models.QuerySet[Any] = super().get_queryset(request)
        return rows.defer(*self._unshown())

    def get_ordering(self, request: HttpRequest) -> Sequence[str]:
        """Return the newest first, unless the page says otherwise."""
        if self.ordering:
            return tuple(self.ordering)
        names = {column.name for column in self.model._meta.concrete_fields}
        newest = next((name for name in ("created", "at", "occurred_at", "date_joined") if name in names), "")
        return (f"-{newest}", "pk") if newest else ("pk",)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Return the columns; plain uuids are linked to what they name."""
        return [self._shown(name) for name in super().get_list_display(request)]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list, with the names of what its rows' ids point at."""
        found = super().get_changelist_instance(request)
        for column in found.list_display:
            if isinstance(column, LinkedId):
                column.learn(found.result_list)
        return found

    def get_list_select_related(self, request: HttpRequest) -> tuple[str, ...]:
        """Join exactly the relations that the list shows."""
        if self.list_select_related:
            return tuple(self.list_select_related)
        shown = set(self.list_display)
        return tuple(c.name for c in self.model._meta.concrete_fields if c.is_relation and c.name in shown)

    def get_search_fields(self, request: HttpRequest) -> Sequence[str]:
        """Return what is searched; rows without texts are found by uuids."""
        return tuple(self.search_fields) or ("pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        """Search texts; a uuid (any form) finds the rows that carry it in any column."""
        wanted = parse_uuid(search_term) if search_term else None
        if wanted is None and search_term and not self.search_fields:
            return queryset.none(), False
        if wanted is None:
            found: tuple[models.QuerySet[Any], bool] = super().get_search_results(
                request, queryset, search_term.replace("\x00", "")
            )
            return found
        carries = models.Q(pk__in=[])
        for column in self.model._meta.concrete_fields:
            target = column.target_field if column.is_relation else column
            if isinstance(target, models.UUIDField):
                carries |= models.Q(**{column.attname: wanted})
        return queryset.filter(carries), False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return everything that is not hidden."""
        names = [c.name for c in self.model._meta.concrete_fields if c.name not in self._unshown()]
        return [self._shown(name) for name in names]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return all fields but the edited ones."""
        return [name for name in self.get_fields(request, obj) if name not in self.editable]

    def _unshown(self) -> set[str]:
        binary = {c.name for c in self.model._meta.concrete_fields if isinstance(c, models.BinaryField)}
        return binary | set(self.hidden)

    def _shown(self, name: Any) -> Any:
        """Return a plain uuid column as links and a column of amounts as people write them, others as they are."""
        columns = {column.name: column for column in self.model._meta.concrete_fields}
        column = columns.get(name) if isinstance(name, str) and name not in self.editable else None
        if isinstance(column, models.UUIDField) and not column.primary_key and name.endswith("_id"):
            return LinkedId(name, self.admin_site)
        return PlainAmount(column) if isinstance(column, models.DecimalField) else name

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show what the audit log says of the row."""
        address = reverse(f"{self.admin_site.name}:infra_auditentry_changelist")
        return HttpResponseRedirect(f"{address}?q={object_id}")

    # -- writing

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show or save the form; what a service refuses is told, and nothing is changed."""
        try:
            with transaction.atomic():
                answer: HttpResponse = super().changeform_view(request, *args, **kwargs)
                return answer
        except DomainError as error:
            if request.method != "POST":
                raise
            messages.error(request, str(error))
            return HttpResponseRedirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Hand the changed fields to the service, with the row as it was."""
        changes = {name: form.cleaned_data[name] for name in form.changed_data if name in self.editable}
        if changes:
            row = self.get_queryset(request).get(pk=obj.pk)
            self.update(row, changes, actor=_actor(request), now=clock.now())

    def save_related(self, *args: Any) -> None:
        """Do nothing: no page edits rows of others."""

    def log_addition(self, *args: Any) -> None:
        """Do nothing: the service's audit entry is the record."""

    log_change = log_deletion = log_deletions = log_addition

    # -- deeds

    def get_urls(self) -> list[URLPattern]:
        """Add the page that asks before a deed."""
        view = self.admin_site.admin_view(self.deed_view)
        return [path("deed/<slug:name>/", view, name=f"{self._page_name}_deed"), *super().get_urls()]

    @property
    def _page_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer the deeds for the chosen rows."""
        actions: dict[str, Any] = super().get_actions(request)
        return actions | {deed.name: (_ask, deed.name, deed.title) for deed in self.deeds}

    def deed_address(self, name: str, keys: Sequence[Any]) -> str:
        """Return where a deed on these rows is asked for."""
        address = reverse(f"{self.admin_site.name}:{self._page_name}_deed", args=[name])
        return f"{address}?{'&'.join(f'id={key}' for key in keys)}"

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        """Offer the deeds on the page of one row."""
        row = kwargs.get("obj")
        if row is not None:
            possible = [deed for deed in self.deeds if deed.when(row)]
            context["deeds"] = [(deed.title, self.deed_address(deed.name, [row.pk])) for deed in possible]
        return super().render_change_form(request, context, *args, **kwargs)

    def deed_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Ask before a deed (GET), then do it row by row (POST): one row's refusal stops no other."""
        deed = next((deed for deed in self.deeds if deed.name == name), None)
        keys = [parse_uuid(key) for key in request.GET.getlist("id")[:MOST_AT_ONCE]]
        rows = list(self.get_queryset(request).filter(pk__in=[key for key in keys if key is not None]))
        if deed is None or not rows:
            raise Http404
        form = _question_form(deed)(request.POST if request.method == "POST" else None)
        context = {
            **self.admin_site.each_context(request),
            "title": deed.title,
            "opts": self.opts,
            "deed": deed,
            "rows": rows,
            "form": form,
            "back": reverse(f"{self.admin_site.name}:{self._page_name}_changelist"),
        }
        if request.method == "POST" and form.is_valid():
            shown = self._carry_out(request, deed, rows, form.cleaned_data)
            if not shown:
                return HttpResponseRedirect(context["back"])
            context["shown"] = shown
        return TemplateResponse(request, "infra/deed.html", context)

    def _carry_out(
        self, request: HttpRequest, deed: Deed, rows: Sequence[Any], answers: Mapping[str, Any]
    ) -> list[tuple[str, str]]:
        """Do it; returns what is shown once, by row."""
        shown = []
        for row in rows:
            told = str(row)
            try:
                with transaction.atomic():
                    secret = deed.run(row, actor=_actor(request), now=clock.now(), **answers)
            except DomainError as error:
                messages.error(request, f"{told}: {error}")
                continue
            messages.success(request, f"{deed.title}: {told}")
            if secret:
                shown.append((told, secret))
        return shown


def _ask(page: OperatorAdmin, request: HttpRequest, rows: models.QuerySet[Any]) -> HttpResponse | None:
    """Lead from the chosen rows to the page that asks."""
    keys = list(rows.values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
    if len(keys) > MOST_AT_ONCE:
        messages.error(request, f"Choose at most {MOST_AT_ONCE} rows.")
        return None
    return HttpResponseRedirect(page.deed_address(request.POST["action"], keys))


def _question_form(deed: Deed) -> type[forms.Form]:
    return type("Questions", (forms.Form,), dict(deed.questions))


def _actor(request: Any) -> Actor:
    """Return the operator, whom the site put there."""
    actor: Actor = request.actor
    return actor
