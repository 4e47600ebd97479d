"""Issues over REST: opened by whom, about what, seen by whom, changed by the desk."""

from __future__ import annotations

import pytest
from tests.support.market import ok
from tests.support.world import World
from tests.support_desk.desk import opened

pytestmark = pytest.mark.django_db


def test_smoke(world: World) -> None:
    issue = opened(world.buyer.api, world)
    print(issue)
    ok(world.operator.api.post(f"/api/support-issues/{issue['uuid']}/resolve/"))
