"""Entry point of the job, on Managed Flink and in a local mini-cluster alike."""

from __future__ import annotations

import sys

from flink_app.environment import create_table_environment, runs_locally
from flink_app.settings import JobSettings
from flink_app.topology import build
from udfs.config.file import load_properties, properties_file
from udfs.errors import WebLogError

EXIT_BAD_SETTINGS = 2


def main() -> int:
    """Builds the job from its settings and runs it.

    Returns:
        0, or 2 when the settings are wrong; the reason is one line on standard error.
    """
    try:
        settings = JobSettings.load(load_properties(properties_file()))
    except WebLogError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_SETTINGS
    t_env = create_table_environment(settings)
    result = build(t_env, settings).execute()
    if runs_locally(t_env):
        # The mini-cluster lives in this process's JVM and ends with it. On Managed
        # Flink the job outlives this script.
        result.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
