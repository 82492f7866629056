"""The example stacks for the tests of all templates."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.stacks import EXAMPLES, Stack


@pytest.fixture(
    params=[make for several in EXAMPLES.values() for make in several],
    ids=[f"{kind}{number}" for kind, several in EXAMPLES.items() for number in range(len(several))],
)
def example(request: pytest.FixtureRequest) -> Stack:
    make: Callable[[], Stack] = request.param
    return make()
