"""Whose call runs next where a runtime has fewer places than calls: every customer its share, nobody's crowd first.

Calls that find no place wait in a queue of their customer's. Places are dealt out by deficit round robin: a
customer's credit pays for the time its calls hold places (known when they end, taken to be the mean before), and
each round gives every customer present as much as its weight, up to a bound: who used less than its share so far
goes first when it needs more. The last places are for customers below their share, so that one is free when they come.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from math import ceil, inf
from time import monotonic
from typing import Any

from agentmart.contracts.grants import Grant
from agentmart.gateway.errors import Unavailable
from agentmart.gateway.limit_keeper import Held
from agentmart.gateway.settings import GatewaySettings

MOST_RESERVED = 16
MEMORY = 0.05
"""Weight of the newest call in the mean time that a call holds a place."""


class _Customer:
    """A customer that has calls running or waiting."""

    __slots__ = ("credit", "held", "name", "queue", "weight")

    def __init__(self, name: Hashable, weight: float) -> None:
        self.name = name
        self.weight = weight
        self.held = 0
        self.credit = 0.0  # seconds of a place
        self.queue: deque[Any] = deque()


class Turn:
    """A place that a call holds from `begun` on. `ticket` is whatever its asker gave."""

    __slots__ = ("begun", "charged", "customer", "ticket")

    def __init__(self, customer: _Customer, ticket: Any, begun: float, charged: float | None) -> None:
        self.customer = customer
        self.ticket = ticket
        self.begun = begun
        self.charged = charged  # seconds paid in advance; None where nobody waited


class Rota:
    """Deals out places; no clock and no waiting of its own."""

    def __init__(self, places: int, *, reserved: int | None = None) -> None:
        self.places = places
        self.running = 0
        self.waiting = 0
        self._reserved = min(places // 8, MOST_RESERVED) if reserved is None else reserved
        self._mean = 1.0
        self._known = False  # has any call ended yet?
        self._customers: dict[Hashable, _Customer] = {}
        self._weights = 0.0
        self._ring: deque[_Customer] = deque()  # those who wait; the first is asked first

    def queued(self, name: Hashable) -> int:
        """Return how many calls of the customer wait."""
        customer = self._customers.get(name)
        return len(customer.queue) if customer is not None else 0

    def ask(self, name: Hashable, ticket: Any, now: float, *, weight: float = 1.0) -> Turn | None:
        """Return a turn that begins now, or None: the ticket waits, and `end` or `give_up` will begin it."""
        customer = self._customers.get(name)
        if customer is None:
            customer = self._customers[name] = _Customer(name, weight)
            self._weights += weight
            customer.credit = self._most_credit(customer)
        if not customer.queue and self._may(customer) and not self._another_goes_first(customer):
            return self._begin(customer, ticket, now)
        customer.queue.append(ticket)
        self.waiting += 1
        if len(customer.queue) == 1:
            self._ring.append(customer)
        return None

    def end(self, turn: Turn, now: float) -> list[Turn]:
        """Free a place; returns the turns that begin instead."""
        lasted = max(0.0, now - turn.begun)
        self._mean = self._mean + MEMORY * (lasted - self._mean) if self._known else lasted
        self._known = True
        customer = turn.customer
        customer.held -= 1
        self.running -= 1
        if turn.charged is not None:
            customer.credit -= lasted - turn.charged
        begun = self._deal(now)
        self._forget(customer)
        return begun

    def give_up(self, name: Hashable, ticket: Any, now: float) -> list[Turn]:
        """Take a waiting ticket out; returns the turns that begin because it is gone."""
        customer = self._customers.get(name)
        if customer is None or ticket not in customer.queue:
            return []
        customer.queue.remove(ticket)
        self.waiting -= 1
        if not customer.queue:
            self._ring.remove(customer)
        begun = self._deal(now)
        self._forget(customer)
        return begun

    def _may(self, customer: _Customer) -> bool:
        """Whether a free place may be this customer's: the last ones are for those below their share.

        The share is one of as many as there are customers and one more, who may come any moment.
        """
        free = self.places - self.running
        if free > self._reserved:
            return True
        share = self.places * customer.weight / max(self._weights, customer.weight + 1.0)
        return free > 0 and customer.held < share

    def _another_goes_first(self, customer: _Customer) -> bool:
        return any((other.credit > 0 or customer.credit <= 0) and self._may(other) for other in self._ring)

    def _begin(self, customer: _Customer, ticket: Any, now: float) -> Turn:
        customer.held += 1
        self.running += 1
        charged = self._mean if self.waiting else None
        if charged is not None:
            customer.credit -= charged
        return Turn(customer, ticket, now, charged)

    def _most_credit(self, customer: _Customer) -> float:
        return self._mean * self.places * customer.weight

    def _deal(self, now: float) -> list[Turn]:
        begun = []
        while self.waiting and self.running < self.places:
            customer = self._next()
            if customer is None:
                break
            begun.append(self._begin(customer, customer.queue.popleft(), now))
            self.waiting -= 1
            if not customer.queue:
                self._ring.remove(customer)
        return begun

    def _next(self) -> _Customer | None:
        """Return the waiting customer whose turn it is: with credit, after a round if none has any, the one that
        holds least for its weight; of several the first that waited."""
        candidates = [customer for customer in self._ring if self._may(customer)]
        if not candidates:
            return None
        if all(customer.credit <= 0 for customer in candidates):
            self._pay(candidates)
        first = min((c for c in candidates if c.credit > 0), key=lambda c: c.held / c.weight)
        if len(self._ring) > 1:  # of equals the others come first the next time
            self._ring.remove(first)
            self._ring.append(first)
        return first

    def _pay(self, candidates: list[_Customer]) -> None:
        """Give everybody present as many rounds' credit as it takes for one of the candidates to have some."""
        round_ = max(self._mean, 1e-9)
        rounds = min(max(1, ceil(-c.credit / (round_ * c.weight))) for c in candidates)
        if all(c.credit + rounds * round_ * c.weight <= 0 for c in candidates):
            rounds += 1
        for customer in self._customers.values():
            earned = customer.credit + rounds * round_ * customer.weight
            customer.credit = min(earned, max(customer.credit, self._most_credit(customer)))

    def _forget(self, customer: _Customer) -> None:
        if not customer.held and not customer.queue and customer.name in self._customers:
            del self._customers[customer.name]
            self._weights -= customer.weight


class Turns:
    """A rota for asyncio: bounded queues, bounded waits."""

    def __init__(
        self,
        places: int,
        *,
        most_waiting: int,
        patience: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._rota = Rota(places)
        self._most_waiting = most_waiting
        self._patience = patience
        self._clock = clock

    @property
    def running(self) -> int:
        """How many places are held."""
        return self._rota.running

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return self._rota.waiting

    async def take(self, name: Hashable, *, weight: float = 1.0, until: float = inf) -> Turn:
        """Return a place as soon as it is this call's turn; raises Unavailable (503) where that takes too long.

        A customer's queue may be half as long as all together, so that others always find room to wait.
        """
        rota = self._rota
        if rota.waiting >= self._most_waiting or rota.queued(name) >= max(1, self._most_waiting // 2):
            raise Unavailable(reason="no_place")
        ticket: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        turn = rota.ask(name, ticket, self._clock(), weight=weight)
        if turn is not None:
            return turn
        try:
            async with asyncio.timeout(min(self._patience, max(0.0, until - self._clock()))):
                return await ticket
        except BaseException as error:
            if ticket.done() and not ticket.cancelled():
                self.end(ticket.result())  # its turn came as it went
            else:
                self._tell(rota.give_up(name, ticket, self._clock()))
            if isinstance(error, TimeoutError):
                raise Unavailable(reason="no_place") from None
            raise

    def end(self, turn: Turn) -> None:
        """Free a place."""
        self._tell(self._rota.end(turn, self._clock()))

    def _tell(self, turns: list[Turn]) -> None:
        for turn in turns:
            if turn.ticket.done():  # cancelled this very moment
                self.end(turn)
            else:
                turn.ticket.set_result(turn)


class FairPlaces:
    """The places of every runtime that has fewer of them than the gateway may hold calls."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._turns = {
            runtime: Turns(places, most_waiting=settings.most_waiting, patience=settings.turn_patience)
            for runtime, places in settings.places.items()
        }

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return sum(turns.waiting for turns in self._turns.values())

    async def take(self, grant: Grant, lease: Held, deadline: float) -> Held:
        """Return the lease with a place to run, once it is the customer's turn; plans with `priority` count double.

        Raises Unavailable, after giving the lease back.
        """
        turns = self._turns.get(grant.runtime)
        if turns is None:
            return lease
        try:
            turn = await turns.take(
                grant.customer_id, weight=2.0 if grant.limits.priority else 1.0, until=deadline
            )
        except BaseException:
            lease.give_back()
            raise
        return _Placed(lease, turns, turn)


class _Placed:
    """What a call holds, and the place it runs in."""

    __slots__ = ("_lease", "_turn", "_turns")

    def __init__(self, lease: Held, turns: Turns, turn: Turn) -> None:
        self._lease = lease
        self._turns = turns
        self._turn: Turn | None = turn

    def release(self, requests: int, tokens: int = 0) -> None:
        """Free the place; requests and tokens are what the call's usage event counts."""
        self._end()
        self._lease.release(requests, tokens)

    def give_back(self) -> None:
        """Undo everything: the call was refused after all."""
        self._end()
        self._lease.give_back()

    def _end(self) -> None:
        if self._turn is not None:
            turn, self._turn = self._turn, None
            self._turns.end(turn)
