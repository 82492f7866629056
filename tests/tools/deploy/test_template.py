"""The notation of the templates' parts."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tools.deploy import template
from tools.deploy.template import logical_name, parameters, render

PART = """
Shared: { any: &tags { Team: logs } }
Parameters:
  Size: { Type: Number, Default: 1 }
Resources:
  "{Stream}Stream":
    Type: A
    Tags: *tags
    Name: !Sub "${AWS::StackName}-{stream}"
    Arn: !GetAtt "{Stream}Stream.Arn"
  Board:
    Type: B
    DependsOn: !Each ["{Stream}Stream"]
    Body: !Json { streams: !Each [[a, "{stream}"]], size: "${Size}" }
    If: !If [Big, !Ref Size, !Ref AWS::NoValue]
"""


@pytest.fixture
def part(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("parts")
    (folder / "part.yaml").write_text(PART)
    monkeypatch.setattr(template, "FOLDER", folder)
    monkeypatch.setattr(template, "PARTS", {"job": ("part",)})
    template._written.cache_clear()
    yield
    template._written.cache_clear()


@pytest.mark.usefixtures("part")
def test_what_a_name_stands_for_is_repeated() -> None:
    made = render("job", {"Stream": ["alerts", "dead-letters"]})

    assert made["Resources"]["DeadLettersStream"] == {
        "Type": "A",
        "Tags": {"Team": "logs"},
        "Name": {"Fn::Sub": "${AWS::StackName}-dead-letters"},
        "Arn": {"Fn::GetAtt": ["DeadLettersStream", "Arn"]},
    }
    board = made["Resources"]["Board"]
    assert board["DependsOn"] == ["AlertsStream", "DeadLettersStream"]
    assert board["If"] == {"Fn::If": ["Big", {"Ref": "Size"}, {"Ref": "AWS::NoValue"}]}
    body = {"streams": [["a", "alerts"], ["a", "dead-letters"]], "size": "${Size}"}
    assert json.loads(board["Body"]["Fn::Sub"]) == body
    assert made.keys() == {"Parameters", "Resources"}
    # A change of one template is not in the next.
    made["Resources"]["Board"].clear()
    assert render("job", {"Stream": []})["Resources"].keys() == {"Board"}


@pytest.mark.usefixtures("part")
def test_parameters_are_those_of_the_parts() -> None:
    assert parameters("job") == {"Size": {"Type": "Number", "Default": 1}}


def test_logical_ids_are_letters_and_digits() -> None:
    assert logical_name("of-errors_per.page2") == "OfErrorsPerPage2"
