-- Where raw log lines come from. One record holds one line or, as log agents
-- aggregate them, several. Bytes, not text: a line that is not UTF-8 must reach
-- its dead letter unchanged.
CREATE TEMPORARY TABLE raw_log (
  data BYTES
) WITH (
  ${source}
);
