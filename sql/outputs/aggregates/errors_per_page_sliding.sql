-- Requests and errors of each page, over a sliding window.
-- Key: webpage
CREATE TEMPORARY TABLE errors_per_page_sliding (
  window_start  TIMESTAMP_LTZ(3),
  window_end    TIMESTAMP_LTZ(3),
  webpage       STRING,
  requests      BIGINT,
  client_errors BIGINT,
  server_errors BIGINT,
  error_rate    DOUBLE${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

INSERT INTO errors_per_page_sliding
SELECT
  CAST(window_start AS TIMESTAMP_LTZ(3)),
  CAST(window_end AS TIMESTAMP_LTZ(3)),
  webpage,
  COUNT(*),
  COUNT(*) FILTER (WHERE status BETWEEN 400 AND 499),
  COUNT(*) FILTER (WHERE status BETWEEN 500 AND 599),
  CAST(COUNT(*) FILTER (WHERE status >= 400) AS DOUBLE) / COUNT(*)${sink_values}
FROM HOP(
  TABLE timely_events, DESCRIPTOR(event_time), ${sliding_slide}, ${sliding_size})
GROUP BY window_start, window_end, webpage;
