"""The contents of the zip."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from aws import arn
from tests.support.core import DEMO_DATABASE
from tests.support.packages import unpack
from tests.support.service import distributions_of_flink
from tools.package import command as package
from tools.package import contents
from tools.package.command import JobPackageOptions, build, describe
from tools.package.layout import Manifest, read_manifest
from udfs.config.root import ROOT

# Flink's Python package and the packages of its interface.
PROVIDED = {"numpy", "pandas", "pyarrow", "pyflink"}
OWN_CODE = ("aws/", "flink_app/", "lambda_app/", "udfs/")
# The project's commands and tools, which the job doesn't need.
TOOLS = ("tools", "lambda_app", "sql/athena", "sql/client")
DATABASE_IN_PROJECT = DEMO_DATABASE.relative_to(ROOT)


def packaged_modules(archive: Path) -> Iterator[tuple[str, ast.Module]]:
    """Yields the project's own modules in a zip."""
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            if name.removeprefix("app/").startswith(OWN_CODE) and name.endswith(".py"):
                yield name, ast.parse(opened.read(name))


def imported(module: ast.AST) -> set[str]:
    """Returns the names of imported modules, also of imports inside functions."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(module):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.Import():
                found.update(alias.name for alias in node.names)
            case ast.ImportFrom(module=str(name)):
                found.add(name)
                found.update(f"{name}.{alias.name}" for alias in node.names)
        found |= imported(node)
    return found


def test_the_job_is_whole(names: frozenset[str]) -> None:
    wanted = {
        path.relative_to(ROOT).as_posix()
        for pattern in (
            "aws/**/*.py",
            "flink_app/**/*.py",
            "udfs/**/*.py",
            "udfs/**/*.json",
            "udfs/**/*.txt",
            "sql/**/*.sql",
        )
        for path in ROOT.glob(pattern)
    }
    wanted = {one for one in wanted if not one.startswith(tuple(f"{tool}/" for tool in TOOLS))}

    assert {f"app/{one}" for one in wanted} <= names
    assert "app/flink_app/main.py" in names
    assert f"app/data/{DEMO_DATABASE.name}" in names
    assert {"LICENSE", "NOTICE", "manifest.json"} <= names


def test_nothing_that_the_service_has_no_use_for(names: frozenset[str]) -> None:
    # The JSON Schemas in conf/ are for people: the code has its own checks.
    folders = (*(f"app/{tool}/" for tool in TOOLS), "app/bin/", "app/conf/", "conf/")
    assert not [name for name in names if name.startswith(folders)]
    assert not [name for name in names if "/__pycache__/" in name or name.endswith(".pyc")]
    assert not [name for name in names if "/tests/" in name or name.endswith("/tests.py")]
    assert not [name for name in names if name.endswith(("/RECORD", "/INSTALLER", "/WHEEL"))]


def distributions(archive: Path) -> dict[str, Message]:
    """Returns the METADATA of each third-party package in a zip by name."""
    with zipfile.ZipFile(archive) as opened:
        found = [
            message_from_bytes(opened.read(name))
            for name in opened.namelist()
            if name.endswith(".dist-info/METADATA")
        ]
    return {canonicalize_name(str(one["Name"])): one for one in found}


@pytest.mark.parametrize(("zip_of", "lock"), [("archive", "package"), ("function_zip", "lambda")])
def test_the_packages_are_those_of_the_lock(
    zip_of: str, lock: str, request: pytest.FixtureRequest
) -> None:
    archive: Path = request.getfixturevalue(zip_of)
    text = (ROOT / "conf" / "requirements" / f"{lock}.lock").read_text("utf-8")
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))
    versions = {name: str(one["Version"]) for name, one in distributions(archive).items()}
    assert versions == locked
    if lock == "package":
        assert read_manifest(archive).packages == locked


@pytest.mark.parametrize("zip_of", ["archive", "function_zip"])
def test_compiled_files_are_for_the_platform(zip_of: str, request: pytest.FixtureRequest) -> None:
    with zipfile.ZipFile(request.getfixturevalue(zip_of)) as opened:
        compiled = re.compile(r"\.(so(\..*)?|pyd|dll|dylib)$")
        headers = {
            name: opened.read(name)[:20] for name in opened.namelist() if compiled.search(name)
        }
    assert len(headers) == 3
    for name, header in headers.items():
        assert name.endswith((".cpython-312-x86_64-linux-gnu.so", ".abi3.so")), name
        assert (header[:6], header[18:]) == (b"\x7fELF\x02\x01", b"\x3e\x00"), name


@pytest.mark.parametrize(
    ("zip_of", "provided", "left_out"),
    [
        # Only geoip2's client of MaxMind's web API needs these packages.
        ("archive", distributions_of_flink(), {"geoip2": {"aiohttp"}}),
        ("function_zip", set(), {"geoip2": {"aiohttp", "requests"}}),
    ],
)
def test_each_requirement_is_there(
    zip_of: str, provided: set[str], left_out: object, request: pytest.FixtureRequest
) -> None:
    shipped = distributions(request.getfixturevalue(zip_of))
    absent: dict[str, set[str]] = {}
    for name, metadata in shipped.items():
        for requirement in map(Requirement, metadata.get_all("Requires-Dist", [])):
            required = canonicalize_name(requirement.name)
            if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
                continue
            if required in shipped:
                assert requirement.specifier.contains(str(shipped[required]["Version"])), name
            elif required not in provided:
                absent.setdefault(name, set()).add(required)
    assert absent == left_out


def test_no_package_that_the_service_provides(archive: Path, names: frozenset[str]) -> None:
    tops = {name.split("/")[1] for name in names if name.startswith("app/")}
    assert not tops & {"pyflink", "pandas", "numpy", "pyarrow", "apache_beam", "google", "requests"}
    # These are in both, since the job has its own versions of them.
    both = distributions_of_flink() & distributions(archive).keys()
    assert both == {"dnspython", "orjson", "python-dateutil", "six", "urllib3"}


def services_called(archive: Path) -> set[str]:
    """Returns the names of the services with a client in the packaged code."""
    calls = [
        node
        for _, module in packaged_modules(archive)
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and node.args
        if getattr(node.func, "attr", getattr(node.func, "id", "")) in {"client", "make_client"}
    ]
    literals = {
        str(argument.value)
        for argument in (call.args[0] for call in calls)
        if isinstance(argument, ast.Constant)
    }
    # A client for an ARN has its service in a variable.
    return literals | set(arn._RESOURCES)


def test_every_client_is_made_with_what_is_packaged(archive: Path, tmp_path: Path) -> None:
    services = services_called(archive)
    assert services >= {"dynamodb", "secretsmanager", "ssm", "sqs"}
    unpack(archive, tmp_path / "code")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import boto3\n"
        "for service in sys.argv[2:]:\n"
        "    client = boto3.client(service, region_name='eu-west-1')\n"
        "    assert client.meta.endpoint_url.endswith('.eu-west-1.amazonaws.com'), service\n"
        "print(boto3.__file__)\n"
    )
    # The test hides this environment: the zip must also hold botocore's dependencies.
    code = str(tmp_path / "code" / "app")
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, code, *sorted({*services, "sts"})],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.startswith(code), ended.stderr


def test_other_services_of_aws_are_left_out(archive: Path, names: frozenset[str]) -> None:
    data = [name.split("/") for name in names if name.startswith("app/botocore/data/")]
    assert {parts[3] for parts in data if len(parts) > 4} == services_called(archive) | {"sts"}
    assert ["app", "botocore", "data", "endpoints.json"] in data


def test_every_package_brings_its_licence(names: frozenset[str]) -> None:
    for folder in {name.split("/")[1] for name in names if ".dist-info/" in name}:
        inside = [name for name in names if name.startswith(f"app/{folder}/")]
        # Two packages name their licence in METADATA and ship no text of it.
        assert any("LICEN" in name.upper() for name in inside) or inside == [
            f"app/{folder}/METADATA"
        ]


@pytest.mark.parametrize(
    ("zip_of", "provided"), [("archive", PROVIDED), ("function_zip", {"boto3", "botocore"})]
)
def test_each_import_is_there(
    zip_of: str, provided: set[str], request: pytest.FixtureRequest
) -> None:
    archive: Path = request.getfixturevalue(zip_of)
    with zipfile.ZipFile(archive) as opened:
        names = [name.removeprefix("app/") for name in opened.namelist()]
    tops = {name.split("/")[0].removesuffix(".py") for name in names}
    for name, module in packaged_modules(archive):
        for target in imported(module):
            top = target.split(".")[0]
            known = top in sys.stdlib_module_names or top in provided or top in tops
            assert known, f"{name} imports {target}, which is neither provided nor packaged"


def test_the_job_imports_nothing_of_the_commands(archive: Path) -> None:
    tools = tuple(tool.replace("/", ".") for tool in TOOLS)
    for name, module in packaged_modules(archive):
        assert not [one for one in imported(module) if one.startswith(tools)], name


def test_packages_agree_with_those_of_flink(archive: Path) -> None:
    shipped = read_manifest(archive).packages
    for name in distributions_of_flink():
        for text in importlib.metadata.requires(name) or []:
            requirement = Requirement(text)
            version = shipped.get(canonicalize_name(requirement.name))
            if version and (
                requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            ):
                assert requirement.specifier.contains(version), f"{name} needs {requirement}"


def test_a_package_left_out_is_imported_by_none_that_is_shipped(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        importing = [
            name
            for name in opened.namelist()
            if name.startswith("app/") and name.endswith(".py")
            if "aiohttp" in _at_import(ast.parse(opened.read(name)))
        ]
    assert importing == ["app/geoip2/webservice.py"]


def _at_import(module: ast.Module) -> set[str]:
    """Returns the top-level modules that the import of a module imports."""
    found: set[str] = set()
    for node in module.body:
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def test_same_input_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two checkouts in other folders, with other times and rights, give the same zip."""
    made = []
    first, second = tmp_path / "first", tmp_path / "second"
    for origin, checkout in ((ROOT, first), (first, second)):
        for name in (
            "aws",
            "flink_app",
            "udfs",
            "sql",
            "conf",
            "examples",
            "LICENSE",
            "NOTICE",
            "pyproject.toml",
        ):
            copy = shutil.copytree if (origin / name).is_dir() else shutil.copyfile
            checkout.mkdir(exist_ok=True)
            copy(origin / name, checkout / name)
        for module in (package, contents):
            monkeypatch.setattr(module, "ROOT", checkout)
        options = JobPackageOptions(
            out=checkout / "dist", with_connectors=False, geoip=checkout / DATABASE_IN_PROJECT
        )
        made.append(build(options).read_bytes())
        for path in (checkout / "udfs").rglob("*.py"):
            path.chmod(0o755)
            os.utime(path, (0, 0))
    assert made[0] == made[1]


def test_entries_carry_neither_time_nor_rights_of_this_machine(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        entries = opened.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {stat.S_IFREG | 0o644}
    assert {entry.create_system for entry in entries} == {3}


def test_the_manifest_describes_the_zip(archive: Path) -> None:
    manifest = read_manifest(archive)

    assert manifest == Manifest.from_json(manifest.to_json())
    assert not manifest.connectors
    assert manifest.geoip == f"data/{DEMO_DATABASE.name}"
    assert manifest.run_options() == {"python": "app/flink_app/main.py", "pyFiles": "app/"}


def test_listing_names_size_parts_and_run_options(archive: Path) -> None:
    text = "\n".join(describe(archive))

    size = archive.stat().st_size
    assert f"{size / 1_000_000:.1f} MB" in text
    assert "app/udfs" in text
    assert "orjson " in text
    assert "python   app/flink_app/main.py" in text
    assert "WITHOUT the AWS connectors" in text
    assert f"database.path = data/{DEMO_DATABASE.name}" in text
    assert "WITHOUT a GeoIP" not in text
