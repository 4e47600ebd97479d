"""How lists are cut into pages (a file of its own: the framework's defaults name it)."""

from __future__ import annotations

from typing import Any

from django.core.paginator import InvalidPage, Page
from django.db.models import QuerySet
from rest_framework import exceptions, pagination, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param


class RowsOfPage:
    """A list of which one page is read: its keys first, then what is shown with each, for those rows alone."""

    def __init__(self, rows: QuerySet[Any]) -> None:
        self.rows = rows

    def count(self) -> int:
        """Return how many rows the whole list has."""
        return self.rows.count()

    def __getitem__(self, part: slice) -> list[Any]:
        """Return the rows of a page."""
        keys = list(self.rows.prefetch_related(None).values_list("pk", flat=True)[part])
        rows = {row.pk: row for row in self.rows.filter(pk__in=keys).order_by()} if keys else {}
        return [rows[key] for key in keys if key in rows]


class Pagination(pagination.PageNumberPagination):
    """Bare arrays; the count in `X-Result-Count`, the neighbours in `Link` (commas in addresses are %2C)."""

    page_size = 10
    max_page_size = 300
    page_size_query_param = "page_size"

    def get_page_size(self, request: Request) -> int | None:
        """Return the asked size, at most 300; raises 400 for what is no positive number."""
        asked = request.query_params.get(self.page_size_query_param)
        if asked is not None and not (asked.isascii() and asked.isdigit() and asked.strip("0")):
            raise serializers.ValidationError({"page_size": ["Enter a positive whole number."]})
        return super().get_page_size(request) if asked is None or len(asked) < 10 else self.max_page_size

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        """Return the page's rows; `HEAD` only counts."""
        if request.method != "HEAD":
            return super().paginate_queryset(queryset, request, view)
        self.request = request
        paginator = self.django_paginator_class(queryset, self.get_page_size(request) or self.max_page_size)
        try:
            number = paginator.validate_number(self.get_page_number(request, paginator))
        except InvalidPage:
            raise exceptions.NotFound("Invalid page.") from None
        self.page = Page([], number, paginator)
        return []

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page with its headers."""
        assert self.page is not None and self.request is not None
        last = self.page.paginator.num_pages
        links = {"first": 1, "last": last}
        if self.page.has_previous():
            links["prev"] = self.page.previous_page_number()
        if self.page.has_next():
            links["next"] = self.page.next_page_number()
        address = self.request.build_absolute_uri()
        parts = [
            f'<{replace_query_param(address, "page", number)}>; rel="{name}"'
            for name, number in links.items()
        ]
        headers = {
            "X-Result-Count": str(self.page.paginator.count),
            "Link": ", ".join(part.replace(",", "%2C") for part in parts),
        }
        return Response(data, headers=headers)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the schema of a page: the array itself."""
        return schema
