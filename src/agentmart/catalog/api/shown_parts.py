"""Answers of offerings' components and plans, kept in the process while the parts stand as they are.

Lists of offerings show hundreds of prices that hardly ever change. `Offering.parts_stamp` is moved by triggers in the
transaction of every change of a component, plan or price, so that what is kept under a stamp is what a reader of that
stamp would read. Who sees an offering sees all its parts (their row-level security asks the offering's), hence no
person is part of the key; what differs by reader, the number of live resources, is counted for each answer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable
from datetime import date
from threading import Lock
from uuid import UUID

from agentmart.catalog import selectors
from agentmart.catalog.api.answers import ShownParts, shown_parts
from agentmart.catalog.models import Offering
from agentmart.infra.addresses import Addresses

MOST = 20_000
"""Components, plans and prices that one process keeps: some 20 MB."""

_Key = tuple[UUID, int, date, str]


def read_parts(offerings: Collection[Offering], addresses: Addresses, today: date) -> dict[UUID, ShownParts]:
    """Return the parts of offerings as they stand, in three queries."""
    rows = selectors.parts_of([offering.id for offering in offerings])
    return {row.id: shown_parts(rows[row.id], addresses, today) for row in offerings}


class KeptParts:
    """The parts of the offerings that were answered last."""

    def __init__(self, most: int = MOST) -> None:
        self._kept: OrderedDict[_Key, ShownParts] = OrderedDict()
        self._lock = Lock()
        self._most = most
        self._weight = 0

    def of(
        self, offerings: Collection[Offering], addresses: Addresses, today: date
    ) -> dict[UUID, ShownParts]:
        """Return the parts of offerings that this transaction has read, and changes nothing of."""
        keys = {row.id: (row.id, row.parts_stamp, today, addresses.base) for row in offerings}
        with self._lock:
            found = {uuid: self._kept[key] for uuid, key in keys.items() if key in self._kept}
            for uuid in found:
                self._kept.move_to_end(keys[uuid])
        missing = [row for row in offerings if row.id not in found]
        if missing:
            read = read_parts(missing, addresses, today)
            with self._lock:
                self._keep((keys[uuid], parts) for uuid, parts in read.items())
            found |= read
        return found

    def _keep(self, read: Iterable[tuple[_Key, ShownParts]]) -> None:
        for key, parts in read:
            if key not in self._kept:
                self._kept[key] = parts
                self._weight += parts.weight
        while self._weight > self._most:
            _, dropped = self._kept.popitem(last=False)
            self._weight -= dropped.weight


kept_parts = KeptParts()
"""This process's."""
