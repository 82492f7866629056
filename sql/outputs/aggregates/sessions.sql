-- Visits: the requests of one host with no pause longer than the session gap.
--
-- A pause is measured between tumbling windows with requests of the host. If it differs from the gap
-- by less than a window, it may count as longer or shorter than it is. Sessions of single requests
-- would cost more than all other outputs together: each request would change a session and its timer
-- in the state.
--
-- A visit ends at midnight UTC at the latest. Otherwise a host that never pauses, such as a monitor or
-- a crawler, would have one session for ever, which would never be written.
-- Key: host
CREATE TEMPORARY TABLE sessions (
  window_start   TIMESTAMP_LTZ(3),
  window_end     TIMESTAMP_LTZ(3),
  host           STRING,
  requests       BIGINT,
  page_views     BIGINT,
  bytes_sent     BIGINT,
  errors         BIGINT${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

CREATE TEMPORARY VIEW visits AS
SELECT
  window_time, host, requests, page_views, bytes_sent, errors, first_request, last_request,
  CAST(window_start AS DATE) AS visit_day
FROM host_windows;

-- window_start is the time of the first request, window_end that of the last one plus the gap.
INSERT INTO sessions
SELECT
  MIN(first_request),
  MAX(last_request) + ${session_gap},
  host,
  SUM(requests),
  SUM(page_views),
  SUM(bytes_sent),
  SUM(errors)${sink_values}
FROM SESSION(
  TABLE visits PARTITION BY (host, visit_day), DESCRIPTOR(window_time), ${session_gap})
GROUP BY window_start, window_end, host, visit_day;
