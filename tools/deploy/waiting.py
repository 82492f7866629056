"""How the commands wait for AWS and speak with whoever started them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from tools.shell import CommandError


def _ask(question: str) -> bool:
    if not sys.stdin.isatty():
        raise CommandError(f"{question} Say --yes where nobody can be asked")
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for AWS, and how.

    Attributes:
        deadline: Seconds to wait for one change of status.
        interval: Seconds between two looks.
        sleep: Waits for some seconds.
        clock: Seconds from any fixed point.
        say: Takes a line of progress.
        ask: Asks a question and returns whether the answer is yes.
    """

    deadline: float = 900
    interval: float = 10
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    say: Callable[[str], None] = print
    ask: Callable[[str], bool] = _ask

    def wait[T](self, look: Callable[[], T | None], purpose: str) -> T:
        """Looks until there is an answer; says so at the start and every minute.

        Args:
            look: Returns the answer, or None as long as there is none.
            purpose: What is waited for, such as `for snapshot 'a'`.

        Raises:
            CommandError: There was none in time.
        """
        started = self.clock()
        said_at = float("-inf")
        while True:
            answer = look()
            if answer is not None:
                return answer
            waited = self.clock() - started
            if waited >= self.deadline:
                raise CommandError(
                    f"waited {waited:.0f} s {purpose}, in vain; look again with `status`"
                )
            if waited - said_at >= 60:
                self.say(f"waiting {purpose} ({waited:.0f} s)")
                said_at = waited
            self.sleep(self.interval)
