"""Puts the rows of an output into its index, each under an id of its own."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import batched
from pathlib import Path
from typing import Any

import orjson
from opensearchpy import OpenSearch
from opensearchpy.helpers import streaming_bulk

from flink_app.sql_files import OutputFile
from tools.index.templates import fields, template
from tools.local.summary import data_files

_BATCH = 500
# Small domains of AWS take 10 MB.
_BATCH_BYTES = 8 * 1024 * 1024
# What is refused because the cluster is busy is sent again after 1, 2, 4 ... s.
_ATTEMPTS = 6
_LONGEST_PAUSE_SECONDS = 30
_ISM = "opensearch-index-management"
_EVENT_ID = "event_id"
_NAMES = frozenset({"keyword", "date"})


@dataclass(slots=True)
class LoadCounts:
    """What became of an output's rows.

    Attributes:
        rows: Rows sent.
        new: Rows that the index did not have.
        known: Rows that it had.
        refused: Why others were refused, and how many; the reasons are OpenSearch's words.
        example: The first row that was refused: its id, and what OpenSearch said of it.
    """

    rows: int = 0
    new: int = 0
    known: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    example: str = ""


class DocumentIds:
    """Gives the rows of an output ids that are the same each time they are loaded.

    A record's is its `event_id`, which lines of one second in the same words share: all but the
    first have a number behind it. A row of an aggregate is known by its window and names, whatever
    was counted; a record without `event_id` by all that it holds.
    """

    def __init__(self, output: OutputFile) -> None:
        known = fields(output)
        self._names = tuple(
            name for name, mapping in known.items() if output.is_record or mapping["type"] in _NAMES
        )
        self._has_event_id = _EVENT_ID in known
        self._given: Counter[str] = Counter()

    def of(self, row: Mapping[str, Any]) -> str:
        """Returns the id of the next row."""
        key: str = row[_EVENT_ID] if self._has_event_id else self._digest(row)
        self._given[key] += 1
        number = self._given[key]
        return key if number == 1 else f"{key}-{number}"

    def _digest(self, row: Mapping[str, Any]) -> str:
        values = orjson.dumps([row.get(name) for name in self._names])
        return hashlib.blake2b(values, digest_size=16).hexdigest()


def prepare(client: OpenSearch, alias: str, output: OutputFile) -> None:
    """Puts the template of an output, and makes its first index where there is none.

    Indices are written through an alias, not a data stream: Firehose can't write to one, as it
    asks for `index` where a data stream takes `create` only.
    """
    made = template(alias, output)
    if any(plugin["component"] == _ISM for plugin in client.cat.plugins(format="json")):
        # Only that plugin knows the setting, by which its policies roll over.
        made["template"]["settings"]["plugins.index_state_management.rollover_alias"] = alias
    client.indices.put_index_template(name=alias, body=made)
    if not client.indices.exists_alias(name=alias):
        body = {"aliases": {alias: {"is_write_index": True}}}
        client.indices.create(index=f"{alias}-000001", body=body)


def load(client: OpenSearch, alias: str, output: OutputFile, folder: Path) -> Iterator[LoadCounts]:
    """Loads the rows in the files of an output.

    Yields:
        The account so far, after each row; the same object each time.
    """
    loaded = LoadCounts()
    yield loaded
    for ok, answer in streaming_bulk(
        client,
        _actions(client, alias, _documents(output, folder)),
        chunk_size=_BATCH,
        max_chunk_bytes=_BATCH_BYTES,
        # The rows go as they are: what Python makes of a number is never sent.
        expand_action_callback=tuple,
        raise_on_error=False,
        max_retries=_ATTEMPTS - 1,
        initial_backoff=1,
        max_backoff=_LONGEST_PAUSE_SECONDS,
    ):
        result = answer["index"]
        loaded.rows += 1
        if not ok:
            error = result["error"]
            loaded.example = loaded.example or f"{result['_id']}: {error['reason']}"
            loaded.refused[_cause(error)] += 1
        elif result["result"] == "created":
            loaded.new += 1
        else:
            loaded.known += 1
        yield loaded


def _documents(output: OutputFile, folder: Path) -> Iterator[tuple[str, str]]:
    ids = DocumentIds(output)
    for path in data_files(folder):
        with path.open("rb") as stream:
            for line in stream:
                yield ids.of(orjson.loads(line)), line.decode().rstrip("\n")


def _actions(
    client: OpenSearch, alias: str, documents: Iterator[tuple[str, str]]
) -> Iterator[tuple[dict[str, Any], str]]:
    # An id is unique in an index. After a rollover a row may be in a former one, and stays there.
    rolled_over = len(client.indices.get_alias(name=alias)) > 1
    if rolled_over:
        client.indices.refresh(index=alias)
    for batch in batched(documents, _BATCH):
        indices = _indices_of(client, alias, [id_ for id_, _ in batch]) if rolled_over else {}
        for id_, line in batch:
            # Were the alias deleted meanwhile, OpenSearch would make an index of its name.
            destination = {"_index": indices.get(id_, alias), "require_alias": id_ not in indices}
            yield {"index": destination | {"_id": id_}}, line


def _indices_of(client: OpenSearch, alias: str, ids: list[str]) -> dict[str, str]:
    """Returns the index of each of the ids that an index has."""
    query = {"size": len(ids), "_source": False, "query": {"ids": {"values": ids}}}
    answer = client.search(index=alias, body=query)
    return {hit["_id"]: hit["_index"] for hit in answer["hits"]["hits"]}


def _cause(error: Mapping[str, Any]) -> str:
    """Returns why a row was refused, in words that name no row: the innermost cause."""
    while "caused_by" in error:
        error = error["caused_by"]
    return f"{error['type']}: {error['reason']}"
