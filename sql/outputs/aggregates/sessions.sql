-- Visits: the requests of one host with no pause longer than the session gap.
-- Key: host
CREATE TEMPORARY TABLE sessions (
  window_start   TIMESTAMP_LTZ(3),
  window_end     TIMESTAMP_LTZ(3),
  host           STRING,
  requests       BIGINT,
  bytes_sent     BIGINT,
  distinct_pages BIGINT,
  errors         BIGINT${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

INSERT INTO sessions
SELECT
  CAST(window_start AS TIMESTAMP_LTZ(3)),
  CAST(window_end AS TIMESTAMP_LTZ(3)),
  host,
  COUNT(*),
  COALESCE(SUM(bytes_sent), 0),
  COUNT(DISTINCT webpage),
  COUNT(*) FILTER (WHERE status >= 400)${sink_values}
FROM SESSION(
  TABLE timely_events PARTITION BY host, DESCRIPTOR(event_time), ${session_gap})
GROUP BY window_start, window_end, host;
