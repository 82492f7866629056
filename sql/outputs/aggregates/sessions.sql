-- Visits: the requests of one host with no pause longer than the session gap.
-- A visit ends at midnight UTC at the latest: a host that never pauses, such as a monitor
-- or a crawler, would otherwise add pages to one session for ever, and never be written.
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

-- The day as a DATE: FLOOR(event_time TO DAY) would still be event time to the planner,
-- which then groups without regard to the window and keeps every group for ever.
CREATE TEMPORARY VIEW visits AS
SELECT
  host, event_time, webpage, status, bytes_sent,
  CAST(event_time AS DATE) AS visit_day
FROM timely_events;

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
  TABLE visits PARTITION BY (host, visit_day), DESCRIPTOR(event_time), ${session_gap})
GROUP BY window_start, window_end, host, visit_day;
