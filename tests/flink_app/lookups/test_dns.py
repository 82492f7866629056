from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from flink_app.lookups.dns import ReverseDns, host_name
from flink_app.lookups.service import LookupService, LoopThread
from tests.support.name_server import (
    FAILURE,
    SILENCE,
    UNKNOWN,
    Answer,
    NameServer,
    name_server,
    usual_name,
)
from udfs.errors import ConfigurationError
from udfs.lookups.settings import DnsSettings

LONG = "30 s"


@contextmanager
def service(answer: Answer, **settings: str) -> Iterator[tuple[LookupService, NameServer]]:
    with name_server(answer) as server:
        properties = {
            "enabled": "true",
            "servers": f"127.0.0.1:{server.port}",
            "timeout": LONG,
            "patience": LONG,
        } | {name.replace("_", "."): value for name, value in settings.items()}
        policy = DnsSettings.load({"weblog.lookups.dns": properties})
        thread = LoopThread()
        try:
            yield LookupService(ReverseDns(policy), policy, thread.loop), server
        finally:
            thread.close()


def test_names_are_found_and_remembered() -> None:
    with service(lambda address: (0.0, usual_name(address))) as (dns, server):
        assert dns.start(["192.0.2.1", "192.0.2.2"]).result() == {
            "192.0.2.1": '"host-192-0-2-1.example.net"',
            "192.0.2.2": '"host-192-0-2-2.example.net"',
        }
        dns.start(["192.0.2.1"]).result()
        assert server.questions == {"192.0.2.1": 1, "192.0.2.2": 1}
        assert (dns.use().hits, dns.use().misses, dns.use().failures) == (1, 2, 0)


def test_that_there_is_no_name_is_remembered_too() -> None:
    with service(lambda _: (0.0, UNKNOWN)) as (dns, server):
        for _ in range(2):
            assert dns.start(["192.0.2.1"]).result() == {"192.0.2.1": "null"}
        assert server.questions["192.0.2.1"] == 1
        assert dns.use().failures == 0


def test_a_zone_that_fails_is_a_failure_and_does_not_open_the_breaker() -> None:
    with service(lambda _: (0.0, FAILURE), breaker_failures="1") as (dns, server):
        for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
            assert dns.start([address]).result() == {address: None}
        assert server.questions == {"192.0.2.1": 1, "192.0.2.2": 1}
        assert dns.use().breaker_opened == 0


def test_a_question_that_gets_lost_is_put_again_in_time() -> None:
    kinds = iter([SILENCE, "a.example.net"])
    with service(lambda _: (0.0, next(kinds)), timeout="2 s") as (dns, server):
        assert dns.start(["192.0.2.1"]).result() == {"192.0.2.1": '"a.example.net"'}
        assert server.questions["192.0.2.1"] == 2


def test_silence_is_a_failure_and_harms_no_other() -> None:
    def answer(address: str) -> tuple[float, str]:
        return 0.0, SILENCE if address == "192.0.2.1" else usual_name(address)

    with service(answer, timeout="1 s") as (dns, _):
        answers = dns.start(["192.0.2.1", "192.0.2.2"]).result()
        assert answers == {"192.0.2.1": None, "192.0.2.2": '"host-192-0-2-2.example.net"'}


def test_a_silent_server_is_left_alone() -> None:
    with service(lambda _: (0.0, SILENCE), timeout="1 s", breaker_failures="2") as (dns, server):
        for number in range(5):
            dns.start([f"192.0.2.{number}"]).result()
        assert set(server.questions) == {"192.0.2.0", "192.0.2.1"}
        assert (dns.use().breaker_opened, dns.use().failures) == (1, 5)


def test_a_failed_question_is_put_again() -> None:
    asked: list[str] = []

    def answer(address: str) -> tuple[float, str]:
        asked.append(address)
        return 0.0, SILENCE if len(asked) <= 2 else usual_name(address)

    # dnspython itself sends two questions within the time limit; the third is the second attempt.
    with service(answer, timeout="500 ms", attempts="3") as (dns, _):
        assert dns.start(["192.0.2.1"]).result() == {"192.0.2.1": '"host-192-0-2-1.example.net"'}
    assert len(asked) == 3


def test_records_do_not_wait_for_ever_and_the_late_answer_serves_the_next() -> None:
    with service(lambda a: (0.3, usual_name(a)), patience="20 ms") as (dns, server):
        first = dns.start(["192.0.2.1"]).result()
        assert first == {"192.0.2.1": None}
        answers = first
        while answers["192.0.2.1"] is None:
            answers = dns.start(["192.0.2.1"]).result()
        assert answers == {"192.0.2.1": '"host-192-0-2-1.example.net"'}
        # All look-ups of an address that wait at a time share one question.
        assert server.questions["192.0.2.1"] == 1


def test_many_slow_questions_go_out_side_by_side_and_each_gets_its_own_answer() -> None:
    addresses = [f"198.51.{high}.{low}" for high in range(5) for low in range(100)]
    # One after the other, the questions would take 100 s.
    with service(lambda a: (0.2, usual_name(a)), concurrency="256") as (dns, _):
        answers = dns.start(addresses).result()
    assert answers == {address: f'"{usual_name(address)}"' for address in addresses}


@pytest.mark.parametrize(
    "hostile",
    [
        b"evil\x00.example",
        b'"},"admin":true,{".example',
        b"line\nbreak.example",
        b"\x1f\x1e.example",
        b"<script>.example",
        b"caf\xc3\xa9.example",
        b"white space.example",
    ],
)
def test_a_hostile_name_is_no_name(hostile: bytes) -> None:
    with service(lambda _: (0.0, hostile)) as (dns, _):
        assert dns.start(["192.0.2.1"]).result() == {"192.0.2.1": "null"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Mail-1.Example.ORG.", "mail-1.example.org"),
        ("_dmarc.example.org.", "_dmarc.example.org"),
        ("a" * 63 + ".org", "a" * 63 + ".org"),
        ("a" * 64 + ".org", None),
        (".".join(["a" * 60] * 5), None),
        (".", None),
        ("", None),
        ("192.0.2.1", None),
        ("a..b", None),
    ],
)
def test_host_names(text: str, name: str | None) -> None:
    assert host_name(text) == name


@pytest.mark.parametrize(
    ("given", "servers"),
    [
        ("192.0.2.1", (("192.0.2.1", 53),)),
        ("192.0.2.1:5353, 192.0.2.2", (("192.0.2.1", 5353), ("192.0.2.2", 53))),
        ("2001:db8::1", (("2001:db8::1", 53),)),
        ("[2001:db8::1]:5353", (("2001:db8::1", 5353),)),
    ],
)
def test_servers(given: str, servers: tuple[tuple[str, int], ...]) -> None:
    assert DnsSettings.load({"weblog.lookups.dns": {"servers": given}}).servers == servers


@pytest.mark.parametrize("given", ["dns.example.net", "192.0.2.1:0", "192.0.2.1:x", "[2001:db8::1"])
def test_bad_servers(given: str) -> None:
    with pytest.raises(ConfigurationError, match="addresses of name servers"):
        DnsSettings.load({"weblog.lookups.dns": {"servers": given}})
