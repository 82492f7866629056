"""Each stack that the tests of all templates look at."""

from __future__ import annotations

from operator import itemgetter

import pytest

from tests.support.stacks import EXAMPLES, Stack, stack


@pytest.fixture(
    params=[(name, one) for name, several in EXAMPLES.items() for one in several], ids=itemgetter(0)
)
def example(request: pytest.FixtureRequest) -> Stack:
    name, parameters = request.param
    return stack(name, **parameters)
