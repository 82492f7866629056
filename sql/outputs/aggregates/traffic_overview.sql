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
  requests,
  bytes_sent,
  informational,
  successes,
  redirections,
  client_errors,
  server_errors,
  CAST(client_errors + server_errors AS DOUBLE) / requests,
  bot_requests,
  CAST(bot_requests AS DOUBLE) / requests${sink_values}
FROM site_windows
WHERE requests > 0;
