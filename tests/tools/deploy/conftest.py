from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import yaml
from moto.cloudformation.models import ChangeSet, Stack

from tests.support import stacks  # adds the types that moto lacks
from tests.support.deploy import BUCKET, REGION, Script
from tests.support.moto_server import moto_server, reset

assert stacks.NOT_IN_MOTO


@pytest.fixture(autouse=True)
def _(credentials: None) -> None:
    """Hides the machine's credentials from every test."""


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    yield script
    script.done()


@pytest.fixture(scope="session")
def moto_address() -> Iterator[str]:
    with moto_server() as address:
        yield address


def _mend_moto(patch: pytest.MonkeyPatch) -> None:
    """Makes moto note a change set's changes, list parameters as AWS does, and read JSON fast."""
    execute, read = ChangeSet.apply, yaml.load

    def apply(self: ChangeSet) -> None:
        if self.change_set_type == "CREATE":
            execute(self)
        resources = self.stack.resource_map
        resources._template, resources.input_parameters = self.template_dict, self.parameters
        resources._resource_json_map = self.template_dict["Resources"]
        resources.load_parameters()
        resources.load_conditions()
        self.stack.template, self.stack.parameters = self.template, self.parameters
        self.stack._parse_template()
        self.stack.output_map = self.stack._create_output_map()

    def parameter_list(self: Stack) -> list[dict[str, object]]:
        resolved = self.resource_map.resolved_parameters.items()
        return [
            {
                "ParameterKey": name,
                "ParameterValue": ",".join(value) if isinstance(value, list) else value,
            }
            for name, value in resolved
        ]

    def json_or_yaml(text: str, *loader: Any, **named: Any) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            return read(text, *loader, **named)

    patch.setattr(ChangeSet, "apply", apply)
    patch.setattr(Stack, "parameter_list", property(parameter_list))
    patch.setattr(yaml, "load", json_or_yaml)


@pytest.fixture
def cloud(moto_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts moto's server with a bucket in place of AWS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_address)
    _mend_moto(monkeypatch)
    reset(moto_address)
    boto3.client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
