-- The source of raw log lines. A record holds one line or, where a log agent aggregates, several.
-- It is bytes, not text: a line that is not UTF-8 must reach its dead letter unchanged.
CREATE TEMPORARY TABLE raw_log (
  data BYTES
) WITH (
  ${source}
);
