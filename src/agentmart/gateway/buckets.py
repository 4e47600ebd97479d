"""Meters: rate buckets, calls at once, sums of a month. Whole numbers, no I/O, no clock of their own."""

from __future__ import annotations

from datetime import UTC, datetime

MINUTE_NS = 60_000_000_000
SECOND_NS = 1_000_000_000


class Bucket:
    """A rate of `limit` units per minute: `limit` of them at once, refilled evenly (GCRA).

    `full_at` is the moment it will be full, in nanoseconds times the limit: then a unit costs exactly one minute
    whatever the limit is, and whole numbers keep the bound exact. Tokens are charged after the run, so a bucket
    may owe more than it holds. `open` counts calls that will still charge it.
    """

    __slots__ = ("full_at", "limit", "most", "open")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.most = limit * MINUTE_NS
        self.full_at = 0
        self.open = 0

    def set_limit(self, limit: int, now: int) -> None:
        """Take over a changed limit: what is missing stays missing."""
        if limit != self.limit:
            debt = self.debt(now)
            self.limit = limit
            self.most = limit * MINUTE_NS
            self.full_at = now * limit + debt

    def debt(self, now: int) -> int:
        """Return what is missing, in minutes of nanoseconds (one unit = MINUTE_NS)."""
        return max(0, self.full_at - now * self.limit)

    def wait(self, now: int, units: int) -> int:
        """Return the nanoseconds until so many units fit (never more than a full bucket); 0 means now."""
        limit = self.limit
        if not limit:
            return MINUTE_NS
        over = self.full_at - now * limit
        if over < 0:
            over = 0
        over += (units if units < limit else limit) * MINUTE_NS - self.most
        return 0 if over <= 0 else -(-over // limit)

    def take(self, now: int, units: int) -> None:
        """Take units out; whoever must not overdraw it has asked `wait` before."""
        base = now * self.limit
        full_at = self.full_at
        self.full_at = (full_at if full_at > base else base) + units * MINUTE_NS

    def add(self, units: int) -> None:
        """Undo a `take` of so many units; it never holds more than it would have without either."""
        self.full_at -= units * MINUTE_NS

    def left(self, now: int) -> int:
        """Return the whole units that fit now."""
        debt = self.full_at - now * self.limit
        return self.limit if debt <= 0 else max(0, (self.most - debt) // MINUTE_NS)

    def reset(self, now: int) -> int:
        """Return the nanoseconds until it is full again."""
        limit = self.limit
        if not limit:
            return MINUTE_NS
        debt = self.full_at - now * limit
        return 0 if debt <= 0 else -(-debt // limit)

    def idle(self, now: int) -> bool:
        """Return whether nothing would be lost with it."""
        return not self.open and self.full_at <= now * self.limit


class Places:
    """Calls at the same time."""

    __slots__ = ("limit", "taken")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0

    def set_limit(self, limit: int, now: int) -> None:
        """Take over a changed limit."""
        self.limit = limit

    def idle(self, now: int) -> bool:
        """Return whether nothing would be lost with it."""
        return not self.taken


class Sum:
    """What a calendar month (UTC) has used: loaded from the stored usage, then counted along.

    `used` includes what calls under way hold; `month` is 0 until something was loaded.
    """

    __slots__ = ("held", "limit", "month", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.month = 0
        self.used = 0
        self.held = 0  # calls under way

    def set_limit(self, limit: int, now: int) -> None:
        """Take over a changed limit."""
        self.limit = limit

    def load(self, month: int, stored: int) -> None:
        """Take over the stored sum of a month; ignored where counting has begun."""
        if self.month != month:
            self.month, self.used, self.held = month, stored, 0

    def hold(self, units: int) -> None:
        """Count a call that is let in."""
        self.used += units
        self.held += 1

    def settle(self, month: int, held: int, units: int) -> None:
        """Replace what a call held by what it used; a call of the month before changes nothing any more."""
        if self.month == month:
            self.used = max(0, self.used + units - held)
            self.held -= 1

    def used_in(self, month: int) -> int:
        """Return what the month has used, as far as is known."""
        return self.used if self.month == month else 0

    def percent(self, month: int) -> int:
        """Return how much of the limit that is, rounded down."""
        if not self.limit:
            return 100
        return self.used * 100 // self.limit if self.month == month else 0

    def idle(self, now: int) -> bool:
        """Return whether it could be loaded again as it stands."""
        return not self.held


def month_number(now: datetime) -> int:
    """Return the number of the calendar month (UTC); `now` is in UTC."""
    return now.year * 12 + now.month


def month_of(now: datetime) -> datetime:
    """Return the first moment of the calendar month (UTC)."""
    now = now.astimezone(UTC)
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_after(month: datetime) -> datetime:
    """Return the first moment of the next month."""
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
