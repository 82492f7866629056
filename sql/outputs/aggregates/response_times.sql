-- How long the requests of each page took, per tumbling window. Only lines with a request time count.
--
-- The percentile is exact below 100 ms. Above 100 ms it is at most a twentieth too high and never too low,
-- because times are rounded up: to steps of 5 ms from 100 ms on, of 50 ms from 1 s on and so forth.
-- PERCENTILE keeps each distinct value in its state. Rounding bounds these, whatever the requests:
-- at most 900 values up to 100 s, and 180 more for each further digit.
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
