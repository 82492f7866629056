"""`./build.sh replay` on files."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.core import combined, dead, enriched, enricher
from tests.support.wrapped import aggregated
from tools.cli import run_command
from tools.replay import letters as sources
from udfs.letters.dead_letter import DeadLetter
from udfs.letters.replay import Replayed, envelope, read_envelope

replay = partial(run_command, "replay")

GOOD = combined()
BAD = GOOD.replace(" 200 ", " 2OO ")
POISON = "poison"


def letter(line: str | bytes, **settings: str) -> str:
    """Returns the JSON of a line's dead letter, with settings of `weblog.deadletters`."""
    groups = {"weblog.deadletters": settings}
    if "privacy" in settings:
        groups["weblog.privacy"] = {"profile": "standard"}
    return dead(enricher(groups), line).json


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    path = tmp_path / "letters.jsonl"
    made = [letter(BAD), letter(BAD), letter(POISON), letter(b"\xff\x1b[31m")]
    path.write_text("\n".join(made) + "\n")
    return path


type Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run_replay(*arguments: str | Path) -> tuple[int, str, str]:
        status = replay([str(one) for one in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run_replay


def sent(path: Path) -> list[Replayed]:
    return [read_envelope(line) for line in path.read_bytes().splitlines()]


def test_letters_are_shown_by_stage_and_reason(letters: Path, run: Run) -> None:
    status, out, err = run(letters, "--samples", "1")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "4 dead letters"
    assert lines[1].split() == ["2", "parse/bad_status", "(tried", "1", "times)"]
    assert lines[2].strip() == BAD[:157] + "..."
    assert "decode/invalid_utf8" in out
    # A line must not send commands to the terminal.
    assert "\x1b" not in out
    assert letters.read_text().count("\n") == 4


def test_repaired_lines_go_back_with_their_attempts(
    letters: Path, run: Run, tmp_path: Path
) -> None:
    target = tmp_path / "again.jsonl"
    status, out, _ = run(letters, "--replace", " 2OO ", " 200 ", "--send", target)
    assert status == 0
    assert "2 of 2 sent" in out
    assert "2  not changed by --replace" in out
    assert sent(target) == [(GOOD.encode(), 2)] * 2
    outcome = enriched(enricher(), target.read_bytes().splitlines()[0])
    assert outcome == enriched(enricher(), GOOD)


def test_bytes_that_are_no_text_can_be_replaced(letters: Path, run: Run, tmp_path: Path) -> None:
    target = tmp_path / "again.jsonl"
    # Python gives the argument $'\\xff' of a shell so.
    assert run(letters, "--replace", "\udcff", "?", "--send", target)[0] == 0
    assert sent(target) == [(b"?\x1b[31m", 2)]


@pytest.mark.parametrize("only", ["invalid_utf8", "decode/invalid_utf8"])
def test_letters_are_chosen_by_reason(letters: Path, run: Run, tmp_path: Path, only: str) -> None:
    target = tmp_path / "again.jsonl"
    assert run(letters, "--only", only, "--send", target)[0] == 0
    assert sent(target) == [(b"\xff\x1b[31m", 2)]


def test_a_line_goes_round_until_it_is_given_up(run: Run, tmp_path: Path) -> None:
    job = enricher({"weblog.deadletters": {"max.attempts": "3"}})
    body = dead(job, POISON).json
    for round_number in (1, 2):
        source, target = tmp_path / f"{round_number}.jsonl", tmp_path / f"{round_number}.again"
        source.write_text(body + "\n")
        assert run(source, "--send", target)[0] == 0
        ((line, attempts),) = sent(target)
        assert (line, attempts) == (POISON.encode(), round_number + 1)
        body = dead(job, target.read_bytes().rstrip()).json
    source = tmp_path / "last.jsonl"
    source.write_text(body + "\n")
    status, out, _ = run(source, "--send", tmp_path / "last.again")
    assert status == 0
    assert "1  not to be sent: given up after the last attempt" in out
    assert "nothing to send" in out
    assert not (tmp_path / "last.again").exists()


def test_lines_can_be_corrected_by_hand(letters: Path, run: Run, tmp_path: Path) -> None:
    draft, target = tmp_path / "draft.jsonl", tmp_path / "again.jsonl"
    run(letters, "--only", "malformed_line", "--send", draft)
    body = json.loads(draft.read_text())
    draft.write_text(json.dumps(body | {"raw": GOOD}))
    assert run(draft, "--send", target)[0] == 0
    assert sent(target) == [(GOOD.encode(), 2)]


def test_masked_and_omitted_lines(run: Run, tmp_path: Path) -> None:
    source, target = tmp_path / "letters.jsonl", tmp_path / "again.jsonl"
    line = combined(timestamp="01/Jan/2099:00:00:00 +0000")
    source.write_text(f"{letter(line, privacy='masked')}\n{letter(line, privacy='omitted')}\n")
    _, out, _ = run(source, "--send", target)
    assert "1  not to be sent: masked" in out
    assert "1  not to be sent: without the line" in out
    assert "nothing to send" in out
    assert run(source, "--masked", "--send", target)[0] == 0
    ((masked, _),) = sent(target)
    assert masked.startswith(b"81.2.69.0 - - ")


def test_a_line_without_its_end_is_not_sent(run: Run, tmp_path: Path) -> None:
    source, target = tmp_path / "letters.jsonl", tmp_path / "again.jsonl"
    line = "x" * 5000
    whole, cut = letter(line), letter(line, **{"max.bytes": "4096"})
    source.write_text(f"{whole}\n{cut}\n")
    _, out, _ = run(source, "--send", target)
    assert "1  not to be sent: without the end of the line (cut by weblog.deadletters" in out
    assert sent(target) == [(line.encode(), 2)]


def test_folders_and_compressed_files(letters: Path, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "dead_letters"
    (folder / "event_date=2025-10-28").mkdir(parents=True)
    (folder / "event_date=2025-10-28" / "part-0").write_bytes(letters.read_bytes())
    (folder / "part-1.gz").write_bytes(gzip.compress(letters.read_bytes()))
    # The contents decide the kind: Firehose chooses the names of its files.
    (folder / "part-3").write_bytes(gzip.compress(letters.read_bytes()))
    (folder / "part-4.gz").write_bytes(letters.read_bytes())
    (folder / ".part-2.inprogress").write_text("unfinished")
    _, out, _ = run(folder, letters)
    assert out.startswith("20 dead letters\n")


def test_a_folder_as_target_gets_a_file_of_its_own(letters: Path, run: Run, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for _ in range(2):
        assert run(letters, "--only", "bad_status", "--send", inbox)[0] == 0
    names = [path.name for path in inbox.iterdir()]
    assert len(names) == 2
    assert all(name.startswith("replay-") and name.endswith(".jsonl") for name in names)


def kept_by_firehose(data: bytes, *, arn: str = "lambdaARN", **change: object) -> str:
    """Returns Firehose's entry for records that a function failed to transform."""
    entry = {
        "rawData": base64.b64encode(data).decode(),
        "errorCode": "Lambda.ProcessingFailedStatus",
        "errorMessage": "ProcessingFailed status set for record",
        "attemptsMade": 4,
        "arrivalTimestamp": 1761646530000,
        "attemptEndingTimestamp": 1761646591000,
        arn: "arn:aws:lambda:eu-west-1:123456789012:function:weblog:$LATEST",
    }
    return json.dumps(entry | change)


def test_records_that_firehose_kept_go_back_line_by_line(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "processing-failed" / "2025" / "10" / "28" / "10"
    folder.mkdir(parents=True)
    other = combined(request="GET /other.html HTTP/1.1")
    entries = [
        kept_by_firehose(f"{GOOD}\n{other}\r\n".encode()),
        # AWS documents this spelling.
        kept_by_firehose(gzip.compress(GOOD.encode()), arn="lambdaArn"),
        # This record was at its third attempt when the function failed.
        kept_by_firehose(envelope(GOOD.encode(), 3)),
        kept_by_firehose(b"\xff\xfe"),
        # These are not the original data, or can't be read.
        kept_by_firehose(b"x", rawData="***"),
        kept_by_firehose(gzip.compress(GOOD.encode())[:-12]),
        json.dumps({"rawData": "eA==", "lastErrorCode": "x", "dataCatalogTable": {}}),
        json.dumps({"rawData": "eA==", "errorCode": "Splunk.InvalidToken", "EventId": "1"}),
    ]
    (folder / "weblog-1-2025-10-28-10-15-30-abc.gz").write_bytes(
        gzip.compress("\n".join(entries).encode())
    )
    target = tmp_path / "again.jsonl"
    status, out, err = run(tmp_path / "processing-failed", "--send", target)
    assert (status, err) == (0, "")
    assert "firehose/Lambda.ProcessingFailedStatus  (tried 1 to 3 times)" in out
    assert "4  entries that are no dead letter" in out
    assert "5 of 5 sent" in out
    assert sent(target) == [
        (GOOD.encode(), 2),
        (other.encode(), 2),
        (GOOD.encode(), 2),
        (GOOD.encode(), 4),
        (b"\xff\xfe", 2),
    ]
    assert enriched(enricher(), target.read_bytes().splitlines()[1]) == enriched(enricher(), other)


def test_a_kept_record_is_unpacked_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_MOST_UNPACKED", 1000)
    kept = sources.read_kept_record(kept_by_firehose(gzip.compress(b"x" * 1000))) or []
    assert [line and line.raw for line in kept] == [b"x" * 1000]
    assert sources.read_kept_record(kept_by_firehose(gzip.compress(b"x" * 1001))) == [None]


def given_up_by_lambda(*records: bytes, **change: object) -> str:
    """Returns Lambda's object in S3 about a stream's batch whose records it discards."""
    event = {
        "Records": [
            {
                "kinesis": {"sequenceNumber": str(n), "data": base64.b64encode(data).decode()},
                "eventSource": "aws:kinesis",
            }
            for n, data in enumerate(records)
        ]
    }
    invocation = {
        "requestContext": {
            "requestId": "c9b8fa9f-5a7f-xmpl-af9c-0c604cde93a5",
            "functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:weblog:live",
            "condition": "RecordAgeExceeded",
            "approximateInvokeCount": 7,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "3", "functionError": None},
        "version": "1.0",
        "timestamp": "2025-10-28T10:15:30.021Z",
        "KinesisBatchInfo": {"shardId": "shardId-000000000001", "batchSize": len(records)},
        "payload": json.dumps(event),
    }
    return json.dumps(invocation | change)


def test_batches_that_lambda_gave_up_go_back_line_by_line(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "aws" / "lambda" / "0a1b" / "shardId-000000000001" / "2025" / "10" / "28"
    folder.mkdir(parents=True)
    other, third = (combined(request=f"GET /{name}.html HTTP/1.1") for name in ("other", "third"))
    aggregate = aggregated(third, other)
    batch = [
        f"{GOOD}\n{other}\r\n".encode(),
        gzip.compress(GOOD.encode()),
        aggregate,
        envelope(GOOD.encode(), 3),
        aggregate[:-1],
    ]
    (folder / "2025-10-28T10.15.30-c9b8").write_text(given_up_by_lambda(*batch), "utf-8")
    # Lambda's message to a queue or topic lacks the event; the other texts are no event.
    without: list[object] = [None, "{", '{"Records": [{}]}', {"Records": 1}]
    for number, payload in enumerate(without):
        (folder / f"{number}").write_text(given_up_by_lambda(payload=payload), "utf-8")
    target = tmp_path / "again.jsonl"
    status, out, err = run(tmp_path / "aws", "--send", target)
    assert (status, err) == (0, "")
    assert "lambda/RecordAgeExceeded  (tried 1 to 3 times)" in out
    assert "5  entries that are no dead letter" in out
    assert "6 of 6 sent" in out
    assert sent(target) == [
        (GOOD.encode(), 2),
        (other.encode(), 2),
        (GOOD.encode(), 2),
        (third.encode(), 2),
        (other.encode(), 2),
        (GOOD.encode(), 4),
    ]


def test_a_record_of_too_many_lines_is_not_sent_again(run: Run, tmp_path: Path) -> None:
    source, target = tmp_path / "letters.jsonl", tmp_path / "again.jsonl"
    source.write_text(letter(b"\n" * 100_001) + "\n")
    _, out, _ = run(source, "--send", target)
    assert "1  not to be sent: a record of too many lines" in out
    assert not target.exists()


@pytest.mark.parametrize(
    ("reason", "record"),
    [
        ("corrupt_kpl", b"\xf3\x89\x9a\xc2\n\x01a"),
        ("corrupt_gzip", gzip.compress(GOOD.encode(), mtime=0)[:-9] + b"\n"),
        ("gzip_too_large", gzip.compress(b"\n".join([GOOD.encode()] * 3), mtime=0)),
    ],
)
def test_a_record_that_could_not_be_unwrapped_is_sent_again(
    run: Run, tmp_path: Path, reason: str, record: bytes
) -> None:
    source, target = tmp_path / "letters.jsonl", tmp_path / "again.jsonl"
    source.write_text(DeadLetter("decode", reason, "", record).to_json("", 250_000) + "\n")
    _, out, _ = run(source, "--send", target)
    assert "1 of 1 sent" in out
    outcomes = enricher().process(target.read_bytes())
    # The record comes back unchanged, so a damaged record fails again at its second attempt.
    if reason == "gzip_too_large":
        assert [type(outcome).__name__ for outcome in outcomes] == ["Enriched"] * 3
    else:
        assert json.loads(outcomes[0].json)["attempts"] == 2


def test_what_is_no_dead_letter_is_counted(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "letters.jsonl"
    good = json.loads(letter(POISON))
    odd = [
        {"schema": "weblog.dead-letter/2"},
        {"raw": 5},
        {"raw": "***", "raw_encoding": "base64"},
        {"attempts": 0},
    ]
    lines = [json.dumps(good | change) for change in odd]
    source.write_text(
        "\n".join([*lines, "[", "[]", "", '{"schema":"weblog.replay/1"}', json.dumps(good)])
    )
    status, out, _ = run(source)
    assert status == 0
    assert out.startswith("1 dead letters\n")
    assert "7  entries that are no dead letter" in out


def test_a_file_that_cannot_be_written_is_one_clear_line(letters: Path, run: Run) -> None:
    # The name is valid, but too long with the ending of an unfinished file.
    target = letters.with_name("x" * 255)
    status, out, err = run(letters, "--send", target)
    assert status == 1
    assert out.endswith(f"0 of 4 sent to {target}\n")
    assert err == f"error: {target}: cannot be written: File name too long\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        # The command can't look at such a name, as at a file in somebody else's folder.
        (["x" * 300], "File name too long"),
        (["{letters}", "--send", "x" * 300], "File name too long"),
        (["{letters}", "--send", "{letters}"], "exists already, and is not overwritten"),
        (["{letters}", "--send", "nowhere/x.jsonl"], "nowhere: no such folder"),
        (
            ["{letters}", "--send", "arn:aws:sqs:x"],
            "error: --send = 'arn:aws:sqs:x': expected an ARN such as arn:aws:kinesis:",
        ),
        (["{letters}", "--send", "arn:aws:firehose:x"], "an ARN such as arn:aws:firehose:"),
        (["{folder}", "--send", "{folder}/x.jsonl"], "expected a place outside of {folder}"),
        (["{folder}", "--send", "{folder}"], "expected a place outside of {folder}"),
        (["{folder}", "--send", "{folder}/../{name}/x"], "expected a place outside of {folder}"),
        (["{letters}", "--replace", "", "x"], "error: --replace = '': expected text to look for"),
        (["{letters}", "--replace", "x", "a\nb"], r"--replace = 'a\nb': expected a replacement in"),
        (["{letters}", "--replace", "x", "a\r"], r"--replace = 'a\r': expected a replacement in"),
        (["{letters}", "--replace", "x", "\udcff"], r"'\udcff': expected a replacement in UTF-8"),
        (["{broken}"], "cannot be read"),
        (["{damaged}"], "cannot be read"),
        (["https://sqs.eu-west-1.amazonaws.com/1/q", "{letters}"], "give one queue, or files"),
        (
            ["https://sqs.eu-west-1.amazonaws.com/1/q", "--endpoint", "localhost:4566"],
            "error: --endpoint = 'localhost:4566': expected a URL such as https://",
        ),
    ],
)
def test_the_error_of_a_mistake_is_one_line(
    letters: Path, run: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    broken = tmp_path / "broken.gz"
    broken.write_bytes(gzip.compress(b"x" * 100)[:-10])
    damaged = tmp_path / "damaged.gz"
    damaged.write_bytes(gzip.compress(b"x" * 100)[:10] + b"\xff" * 20)
    files = {"letters": letters, "broken": broken, "damaged": damaged, "folder": tmp_path / "kept"}
    files["folder"].mkdir()
    status, _, err = run(*(one.format(**files, name="kept") for one in arguments))
    assert status == (2 if ": expected " in err else 1)
    assert message.format(**files) in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("given", ["-1", "many", "1.5"])
def test_the_error_of_a_wrong_limit_is_in_words(
    letters: Path, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        replay([str(letters), f"--limit={given}"])
    assert f"{given!r} is not a whole number of at least 0" in capsys.readouterr().err


def test_envelopes_keep_their_attempt_until_they_are_sent(run: Run, tmp_path: Path) -> None:
    source, target = tmp_path / "draft.jsonl", tmp_path / "again.jsonl"
    source.write_bytes(envelope(b"line", 4) + b"\n")
    run(source, "--send", target)
    assert sent(target) == [(b"line", 4)]
