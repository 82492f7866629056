-- Views over `timed_outcomes`: the rows of `outcomes` once event_time is a
-- rowtime attribute with its watermark (flink_app/topology.py).

CREATE TEMPORARY VIEW enriched_events AS
SELECT * FROM timed_outcomes WHERE kind = 'E';

-- Late: the smallest window of the event had closed before the event came. It is
-- decided here, once, so that every window query sees the same events and what
-- they leave out is in `late_events`: the windows themselves drop nothing unseen.
-- (Downstream of a shuffle the watermark is the slowest subtask's, so not ahead of the one
-- that this view compares with. The exception is a subtask that comes back from silence, see
-- docs/limits.md. To deal rows out to all subtasks first is no help: when all were silent, one
-- that gets rows may itself count as silent yet.)
CREATE TEMPORARY VIEW late_events AS
SELECT * FROM enriched_events
WHERE window_last_instant <= CURRENT_WATERMARK(event_time);

-- Lines of every kind, for what is measured against all lines that came in. Issues mark
-- an attempt to break in.
CREATE TEMPORARY VIEW timely_outcomes AS
SELECT *, POSITION(${probe_prefix} IN issues) > 0 AS is_probe
FROM timed_outcomes
WHERE CURRENT_WATERMARK(event_time) IS NULL
   OR window_last_instant > CURRENT_WATERMARK(event_time);

CREATE TEMPORARY VIEW timely_events AS
SELECT * FROM timely_outcomes WHERE kind = 'E';

-- Requests of each page, and of each host, per tumbling window: for all outputs that
-- need pages or hosts. Each view runs once for all of them (flink_app/environment.py),
-- and they read a row where they would read every request of it.
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
-- Clients that are masked, or not shown at all (NULL), would be one visitor.
WHERE host <> ${masked_host}
GROUP BY window_start, window_end, window_time, host;

-- Lines of the whole site per tumbling window, of every kind: filtered lines and dead
-- letters carry no status and no issues, so what counts these is about requests.
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
-- A line without a time takes the stream's. As long as there is none it has no window: an
-- alert would be about 1970.
WHERE kind = 'E' OR progress_time IS NOT NULL
GROUP BY window_start, window_end, window_time;
