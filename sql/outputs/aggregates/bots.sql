-- Traffic of bots by their kind and name, per tumbling window. The name is NULL where it is unknown.
-- Key: bot_kind, bot
CREATE TEMPORARY TABLE bots (
  window_start TIMESTAMP_LTZ(3),
  window_end   TIMESTAMP_LTZ(3),
  bot_kind     STRING,
  bot          STRING,
  requests     BIGINT,
  bytes_sent   BIGINT${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

INSERT INTO bots
SELECT
  CAST(window_start AS TIMESTAMP_LTZ(3)),
  CAST(window_end AS TIMESTAMP_LTZ(3)),
  bot_kind,
  browser,
  COUNT(*),
  COALESCE(SUM(bytes_sent), 0)${sink_values}
FROM TUMBLE(TABLE timely_events, DESCRIPTOR(event_time), ${window_size})
WHERE is_bot
GROUP BY window_start, window_end, bot_kind, browser;
