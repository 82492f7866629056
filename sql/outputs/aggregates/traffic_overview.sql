-- The whole site in one row per tumbling window: volume, status classes and the
-- share of bots.
CREATE TEMPORARY TABLE traffic_overview (
  window_start  TIMESTAMP_LTZ(3),
  window_end    TIMESTAMP_LTZ(3),
  requests      BIGINT,
  bytes_sent    BIGINT,
  informational BIGINT,
  successes     BIGINT,
  redirections  BIGINT,
  client_errors BIGINT,
  server_errors BIGINT,
  error_rate    DOUBLE,
  bot_requests  BIGINT,
  bot_share     DOUBLE${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

INSERT INTO traffic_overview
SELECT
  CAST(window_start AS TIMESTAMP_LTZ(3)),
  CAST(window_end AS TIMESTAMP_LTZ(3)),
  COUNT(*),
  COALESCE(SUM(bytes_sent), 0),
  COUNT(*) FILTER (WHERE status BETWEEN 100 AND 199),
  COUNT(*) FILTER (WHERE status BETWEEN 200 AND 299),
  COUNT(*) FILTER (WHERE status BETWEEN 300 AND 399),
  COUNT(*) FILTER (WHERE status BETWEEN 400 AND 499),
  COUNT(*) FILTER (WHERE status BETWEEN 500 AND 599),
  CAST(COUNT(*) FILTER (WHERE status >= 400) AS DOUBLE) / COUNT(*),
  COUNT(*) FILTER (WHERE is_bot),
  CAST(COUNT(*) FILTER (WHERE is_bot) AS DOUBLE) / COUNT(*)${sink_values}
FROM TUMBLE(TABLE timely_events, DESCRIPTOR(event_time), ${window_size})
GROUP BY window_start, window_end;
