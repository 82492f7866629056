"""The one jar of connectors: made by Maven from `conf/pom.xml`, and checked."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

from tools.package.archive import replaced_when_complete
from tools.shell import CommandError

_FACTORIES_FILE = "META-INF/services/org.apache.flink.table.factories.Factory"
_FACTORIES = (
    "org.apache.flink.connector.kinesis.table.KinesisDynamicTableFactory",
    "org.apache.flink.connector.firehose.table.KinesisFirehoseDynamicTableFactory",
)
# Classes that are easily missing, each with what fails without it.
_CLASSES = {
    "software/amazon/awssdk/services/kinesis/KinesisAsyncClient.class": "the AWS SDK",
    "software/amazon/eventstream/MessageDecoder.class": "enhanced fan-out",
}
_UNRESOLVED = re.compile(
    r"(?:could not be resolved|Could not find artifact|Could not transfer artifact|"
    r"was not found in)"
)
# Maven 3 starts its output with a colour reset, asked for or not.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# The project in conf/pom.xml itself, which Maven names too.
_OWN = "weblog:"
_ARTIFACT = re.compile(r"\b[a-z][\w.-]+(?:\.[\w-]+)*:[\w.-]+:(?:jar|pom|maven-plugin):[\w.-]+")


def build_jar(pom: Path, target: Path, settings: Path | None = None) -> None:
    """Makes the jar with Maven; `target` changes only once the jar is complete.

    Args:
        pom: The project's `conf/pom.xml`.
        target: The jar to write.
        settings: A Maven settings file instead of the user's own.

    Raises:
        CommandError: There is no Maven, or it could not make the jar.
    """
    maven = shutil.which("mvn")
    if maven is None:
        raise CommandError(
            "no Maven (mvn) found: install it, or give a finished connector jar with --jar"
        )
    with replaced_when_complete(target) as temporary:
        command = [maven, "--quiet", "--batch-mode", "--no-transfer-progress"]
        command.append("-Dstyle.color=never")
        if settings is not None:
            command += ["--settings", str(settings.resolve())]
        command += ["--file", str(pom), f"-Djar.file={temporary.resolve()}", "package"]
        finished = subprocess.run(command, check=False, capture_output=True, text=True)
        if finished.returncode != 0:
            raise CommandError(_explain(finished.stdout + finished.stderr))
        check_jar(temporary)


def check_jar(jar: Path) -> None:
    """Checks that a jar holds both connectors and what they need.

    Raises:
        CommandError: It is missing, not a jar, or lacks a part.
    """
    try:
        with zipfile.ZipFile(jar) as archive:
            names = set(archive.namelist())
            declared = archive.read(_FACTORIES_FILE).decode() if _FACTORIES_FILE in names else ""
            damaged = archive.testzip()
    except OSError as error:
        raise CommandError(f"cannot read {jar}: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise CommandError(f"{jar} is not a jar file") from error
    if damaged is not None:
        raise CommandError(f"{jar} is damaged: {damaged}")
    for factory in _FACTORIES:
        if factory not in declared or f"{factory.replace('.', '/')}.class" not in names:
            raise CommandError(f"{jar} is not the connector jar: it lacks {factory}")
    for name, use in _CLASSES.items():
        if name not in names:
            raise CommandError(f"{jar} is not the connector jar: it lacks {name}, for {use}")


def _explain(output: str) -> str:
    errors = [
        line.removeprefix("[ERROR]").strip()
        for line in _COLOUR.sub("", output).splitlines()
        if line.startswith("[ERROR]")
    ]
    first = next((line for line in errors if line), "Maven said nothing")
    if _UNRESOLVED.search(first):
        artifacts = [name for name in _ARTIFACT.findall(first) if not name.startswith(_OWN)]
        missing = ", ".join(dict.fromkeys(artifacts)) or first[:200]
        return (
            f"the connector jar cannot be made: Maven finds no {missing}. Add a repository that "
            "has them to your Maven settings (or --maven-settings FILE), or give a finished jar "
            "with --jar"
        )
    return f"the connector jar cannot be made: {first[:300]}"
