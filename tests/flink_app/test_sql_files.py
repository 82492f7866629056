from pathlib import Path

import pytest

from flink_app.sql_files import statements, string_literal

TEXT = """
-- A comment; ${unknown}
CREATE TABLE a (
  -- in here; too
  b STRING
) WITH ('path' = ${path});

INSERT INTO a SELECT 'x;y';
"""


@pytest.mark.parametrize("path", ["plain", "a;\nDROP TABLE b;\n", "-- a", "${path}", "';\n'"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n;\n"])
def test_a_value_is_in_one_statement(tmp_path: Path, path: str, end: str) -> None:
    file = tmp_path / "file.sql"
    file.write_text(TEXT.rstrip() + end)
    assert statements(file, {"path": string_literal(path)}) == [
        f"CREATE TABLE a (\n  b STRING\n) WITH ('path' = {string_literal(path)})",
        "INSERT INTO a SELECT 'x;y'",
    ]


def test_a_parameter_that_is_not_given(tmp_path: Path) -> None:
    file = tmp_path / "file.sql"
    file.write_text("SELECT ${a}")
    with pytest.raises(KeyError, match="a"):
        statements(file, {})
