"""What is kept of calls under idempotency keys is kept for a day."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from tests.support.world import NOW

from agentmart.access.models import IdempotentCall
from agentmart.access.services import sweep_idempotent_calls
from agentmart.infra import tenancy

pytestmark = pytest.mark.django_db


def test_only_what_is_over_is_swept() -> None:
    ends = {
        name: NOW + timedelta(seconds=seconds) for name, seconds in (("over", -1), ("now", 0), ("open", 1))
    }
    with tenancy.as_system("test"):
        for name, expires_at in ends.items():
            IdempotentCall.objects.create(
                config_id=uuid4(),
                key_sha256=name.encode(),
                customer_id=uuid4(),
                fingerprint=b"",
                call_id=uuid4(),
                claimed_at=NOW - timedelta(days=1),
                expires_at=expires_at,
            )
    assert sweep_idempotent_calls(now=NOW) == 2
    with tenancy.as_system("test"):
        assert [bytes(row.key_sha256) for row in IdempotentCall.objects.all()] == [b"open"]
