"""Measures one figure in this process: `python -m tools.bench.one NAME SETUP_FILE`.

A process of its own, so that no figure finds another's caches or compiled code. The last
line printed is the result as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tools.bench.figures import chosen
from tools.bench.setup import Setup
from tools.bench.skipped import EXIT_SKIPPED, SkippedError
from udfs.errors import WebLogError


def main() -> int:
    """Measures; returns 1 (or 4: skipped) with one line on standard error when it cannot."""
    name, file = sys.argv[1:]
    (figure,) = [one for one in chosen([name]) if one.name == name]
    setup = Setup.from_json(Path(file).read_text(encoding="utf-8"))
    try:
        print(json.dumps(figure.measure(setup)))
    except SkippedError as reason:
        print(reason, file=sys.stderr)
        return EXIT_SKIPPED
    except WebLogError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
