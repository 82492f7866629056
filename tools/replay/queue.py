"""Dead letters in an SQS queue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import batched
from typing import Any

from aws.errors import explained
from tools.replay.letters import Letter, read_letter

_RECEIVE_BATCH = 10
_HIDDEN_SECONDS = 600
"""How long received messages stay hidden from others; long enough for sending them."""


class Queue:
    """An SQS queue; what is read stays hidden from others until it is deleted or released."""

    def __init__(self, client: Any, url: str, limit: int) -> None:
        self.stopped = False
        """Returns whether reading ended at the limit, so that letters may be left."""
        self._client = client
        self._url = url
        self._limit = limit
        self._taken: dict[str, None] = {}

    def read(self) -> Iterator[Letter | None]:
        """Reads until the queue is empty or the limit is reached; None for what is no dead letter.

        Raises:
            AwsError: The queue cannot be read.
        """
        while len(self._taken) < self._limit:
            with explained(f"reading the queue {self._url}"):
                answer = self._client.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=min(_RECEIVE_BATCH, self._limit - len(self._taken)),
                    VisibilityTimeout=_HIDDEN_SECONDS,
                    WaitTimeSeconds=1,
                )
            messages = answer.get("Messages", [])
            if not messages:
                return
            for message in messages:
                receipt = message["ReceiptHandle"]
                self._taken[receipt] = None
                yield read_letter(message["Body"], receipt)
        self.stopped = True

    def forget(self, letters: Sequence[Letter]) -> int:
        """Deletes letters and returns how many could not be deleted.

        Raises:
            AwsError: The queue refuses.
        """
        failed = 0
        for batch in batched((letter.receipt for letter in letters), _RECEIVE_BATCH):
            with explained(f"deleting from the queue {self._url}"):
                answer = self._client.delete_message_batch(
                    QueueUrl=self._url,
                    Entries=[
                        {"Id": str(index), "ReceiptHandle": receipt}
                        for index, receipt in enumerate(batch)
                    ],
                )
            kept = {int(failure["Id"]) for failure in answer.get("Failed", [])}
            failed += len(kept)
            for index, receipt in enumerate(batch):
                if index not in kept:
                    self._taken.pop(receipt, None)
        return failed

    def release(self) -> None:
        """Shows what was not deleted to others again, at once.

        Raises:
            AwsError: The queue refuses; the messages come back by themselves later.
        """
        for batch in batched(self._taken, _RECEIVE_BATCH):
            with explained(f"releasing messages of the queue {self._url}"):
                self._client.change_message_visibility_batch(
                    QueueUrl=self._url,
                    Entries=[
                        {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                        for index, receipt in enumerate(batch)
                    ],
                )
        self._taken.clear()
