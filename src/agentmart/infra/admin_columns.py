"""How the back office shows what is no plain text: ids by the name of what they name, amounts without idle zeros."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import models
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.text import capfirst

from agentmart.kit.money import decimal_text, money_text

POINTS_AT = {
    "actor": "user",
    "config": "agentconfig",
    "created_by": "user",
    "flow_version": "flowversion",
    "impersonator": "user",
    "issuer": "customer",
    "key": "apikey",
    "provider_customer": "customer",
}
"""What a plain uuid column names where that is not the model of the column's own name."""

CALLED = ("name", "username", "title")
MONEY_PLACES = 4


def called_by(model: type[models.Model]) -> str:
    """Return the column by which people call a model's rows, empty where there is none."""
    columns = {column.name for column in model._meta.concrete_fields}
    return next((name for name in CALLED if name in columns), "")


class Column:
    """A column that stands for the field of its name: the page makes it anew each time it is asked for its fields."""

    __name__: str

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__name__ == self.__name__

    def __hash__(self) -> int:
        return hash((type(self), self.__name__))


class LinkedId(Column):
    """A column of plain uuids, each linked to the page of the row it names, under that row's name."""

    def __init__(self, name: str, site: Any) -> None:
        self.__name__ = name
        self.short_description = name.removesuffix("_id").replace("_", " ")
        self.admin_order_field = name
        self._site = site
        self._names: dict[UUID, str] | None = None

    @cached_property
    def _model(self) -> type[models.Model] | None:
        """Return the model of the named rows, None where no registered one has that name."""
        stem = self.__name__.removesuffix("_id")
        wanted = POINTS_AT.get(stem, stem)
        return next((model for model in self._site._registry if model._meta.model_name == wanted), None)

    def learn(self, rows: Iterable[models.Model]) -> None:
        """Read the names of what all these rows point at, by one query."""
        self._names = self._read({getattr(row, self.__name__) for row in rows} - {None})

    def _read(self, ids: set[Any]) -> dict[UUID, str]:
        if self._model is None or not ids:
            return {}
        called = called_by(self._model)
        if not called:
            rows = self._site._registry[self._model].get_queryset(None).filter(pk__in=ids)
            return {row.pk: capfirst(str(row)) for row in rows}
        found = self._model._default_manager.filter(pk__in=ids).values_list("pk", called)
        return {pk: name for pk, name in found if name}

    def __call__(self, row: models.Model) -> str:
        """Return the link, the uuid alone without a page or a name (short in lists), a dash for nothing."""
        value = getattr(row, self.__name__)
        if value is None:
            return "-"
        listed = self._names is not None
        names = self._read({value}) if self._names is None else self._names
        told = names.get(value, f"{str(value)[:8]}…" if listed else str(value))
        if self._model is None:
            return format_html('<span title="{}">{}</span>', value, told)
        options = self._model._meta
        page = f"{self._site.name}:{options.app_label}_{options.model_name}_change"
        address = reverse(page, args=[value])
        return format_html('<a class="underline" href="{}" title="{}">{}</a>', address, value, told)


class LinkedObject(Column):
    """A column of plain uuids of rows of many models, whose name stands in another column: each linked to its page."""

    def __init__(self, name: str, type_name: str, site: Any) -> None:
        self.__name__ = name
        self.short_description = name.removesuffix("_id").replace("_", " ")
        self.admin_order_field = name
        self._type_name = type_name
        self._site = site

    def __call__(self, row: models.Model) -> str:
        """Return the link under what the model is called and the uuid's beginning, the uuid alone without a page."""
        value = getattr(row, self.__name__)
        label = getattr(row, self._type_name)
        model = next((one for one in self._site._registry if one._meta.label_lower == label), None)
        if model is None:
            return format_html('<span title="{}">{}…</span>', value, str(value)[:8])
        page = f"{self._site.name}:{model._meta.app_label}_{model._meta.model_name}_change"
        told = f"{capfirst(model._meta.verbose_name)} {str(value)[:8]}…"
        return format_html(
            '<a class="underline" href="{}" title="{}">{}</a>', reverse(page, args=[value]), value, told
        )


class PlainAmount(Column):
    """A column of amounts: money with its currency's places, quantities without zeros at the end."""

    def __init__(self, column: models.DecimalField[Any, Any]) -> None:
        self.__name__ = column.name
        self.short_description = column.verbose_name
        self.admin_order_field = column.name
        self._money = column.decimal_places == MONEY_PLACES

    def __call__(self, row: models.Model) -> str:
        """Return the amount, a dash for none."""
        value: Decimal | None = getattr(row, self.__name__)
        if value is None:
            return "-"
        currency = getattr(row, "currency", "")
        return money_text(value, currency) if self._money and currency else decimal_text(value)
