-- How long the requests of each page took, per tumbling window: those whose line says it.
--
-- The percentile is exact below 100 ms, and otherwise at most a twentieth too high, never too low:
-- it is of times rounded up, to steps of 5 ms from 100 ms on, of 50 ms from 1 s on and so forth.
-- PERCENTILE counts each distinct value in its state. Rounded, these are 900 at most up to 100 s
-- and 180 more for each further digit, whatever the requests.
-- Needs: request_time_ms
-- Key: webpage
CREATE TEMPORARY TABLE response_times (
  window_start TIMESTAMP_LTZ(3),
  window_end   TIMESTAMP_LTZ(3),
  webpage      STRING,
  requests     BIGINT,
  mean_ms      DOUBLE,
  max_ms       BIGINT,
  p95_ms       DOUBLE${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

CREATE TEMPORARY VIEW timed_requests AS
SELECT
  event_time, webpage, request_time_ms,
  CEIL(request_time_ms / step) * step AS rounded_ms
FROM (
  SELECT *, POWER(10, FLOOR(LOG10(GREATEST(request_time_ms, 10)))) / 20 AS step
  FROM timely_events
  WHERE request_time_ms IS NOT NULL
);

INSERT INTO response_times
SELECT
  CAST(window_start AS TIMESTAMP_LTZ(3)),
  CAST(window_end AS TIMESTAMP_LTZ(3)),
  webpage,
  COUNT(*),
  -- As DOUBLE: the mean of whole numbers would be a whole number, and their sum might overflow.
  AVG(CAST(request_time_ms AS DOUBLE)),
  MAX(request_time_ms),
  LEAST(PERCENTILE(rounded_ms, 0.95), MAX(request_time_ms))${sink_values}
FROM TUMBLE(TABLE timed_requests, DESCRIPTOR(event_time), ${window_size})
GROUP BY window_start, window_end, webpage;
