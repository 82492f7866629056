-- Views over `timed_outcomes`: the rows of `outcomes` once event_time is a
-- rowtime attribute with its watermark (flink_app/topology.py).

CREATE TEMPORARY VIEW enriched_events AS
SELECT * FROM timed_outcomes WHERE kind = 'E';

-- An event is late if its smallest window had closed before the event came. Only this view decides
-- that, so every window query sees the same events, and `late_events` holds all that they leave out.
-- The windows themselves drop nothing more: behind a shuffle the watermark is the slowest subtask's,
-- so not ahead of the one that this view compares with. (The exception is a subtask that comes back
-- from silence, see docs/limits.md. Dealing rows out to all subtasks first would not help: when all
-- were silent, a subtask that gets rows may still count as silent.)
CREATE TEMPORARY VIEW late_events AS
SELECT * FROM enriched_events
WHERE window_last_instant <= CURRENT_WATERMARK(event_time);

-- Lines of every kind, for shares of all lines that came in. Issues mark an attempt to break in.
CREATE TEMPORARY VIEW timely_outcomes AS
SELECT *, POSITION(${probe_prefix} IN issues) > 0 AS is_probe
FROM timed_outcomes
WHERE CURRENT_WATERMARK(event_time) IS NULL
   OR window_last_instant > CURRENT_WATERMARK(event_time);

CREATE TEMPORARY VIEW timely_events AS
SELECT * FROM timely_outcomes WHERE kind = 'E';

-- Requests of each page, and of each host, per tumbling window. All outputs about pages or hosts read
-- these views, so they read one row in place of many requests. Each view runs once for all outputs
-- (flink_app/environment.py).
CREATE TEMPORARY VIEW page_windows AS
SELECT
  window_start, window_end, window_time,
  webpage,
  COUNT(*)                                              AS requests,
  COUNT(*) FILTER (WHERE status BETWEEN 400 AND 499)    AS client_errors,
  COUNT(*) FILTER (WHERE status BETWEEN 500 AND 599)    AS server_errors,
  COUNT(*) FILTER (WHERE is_probe)                      AS probes
FROM TUMBLE(TABLE timely_events, DESCRIPTOR(event_time), ${window_size})
GROUP BY window_start, window_end, window_time, webpage;

CREATE TEMPORARY VIEW host_windows AS
SELECT
  window_start, window_end, window_time,
  host,
  COUNT(*)                                              AS requests,
  COUNT(*) FILTER (WHERE NOT is_static)                 AS page_views,
  COALESCE(SUM(bytes_sent), 0)                          AS bytes_sent,
  COUNT(*) FILTER (WHERE status >= 400)                 AS errors,
  COUNT(*) FILTER (WHERE status >= 500)                 AS server_errors,
  COUNT(*) FILTER (WHERE is_probe)                      AS probes,
  MIN(CAST(event_time AS TIMESTAMP_LTZ(3)))             AS first_request,
  MAX(CAST(event_time AS TIMESTAMP_LTZ(3)))             AS last_request
FROM TUMBLE(TABLE timely_events, DESCRIPTOR(event_time), ${window_size})
-- Clients that are masked, or not shown (NULL), would count as one visitor.
WHERE host <> ${masked_host}
GROUP BY window_start, window_end, window_time, host;

-- Lines of the whole site per tumbling window, of every kind. Filtered lines and dead letters have no
-- status and no issues, so counts of these are about requests.
CREATE TEMPORARY VIEW site_windows AS
SELECT
  window_start, window_end, window_time,
  COUNT(*)                                              AS lines,
  COUNT(*) FILTER (WHERE kind = 'D')                    AS dead_letters,
  COUNT(*) FILTER (WHERE kind = 'E')                    AS requests,
  COALESCE(SUM(bytes_sent), 0)                          AS bytes_sent,
  COUNT(*) FILTER (WHERE status BETWEEN 100 AND 199)    AS informational,
  COUNT(*) FILTER (WHERE status BETWEEN 200 AND 299)    AS successes,
  COUNT(*) FILTER (WHERE status BETWEEN 300 AND 399)    AS redirections,
  COUNT(*) FILTER (WHERE status BETWEEN 400 AND 499)    AS client_errors,
  COUNT(*) FILTER (WHERE status BETWEEN 500 AND 599)    AS server_errors,
  COUNT(*) FILTER (WHERE is_bot)                        AS bot_requests,
  COUNT(*) FILTER (WHERE is_probe)                      AS probes
FROM TUMBLE(TABLE timely_outcomes, DESCRIPTOR(event_time), ${window_size})
-- A line without a time takes the time of the stream. As long as the stream has none, the line is in
-- no window: an alert would be about 1970.
WHERE kind = 'E' OR progress_time IS NOT NULL
GROUP BY window_start, window_end, window_time;
