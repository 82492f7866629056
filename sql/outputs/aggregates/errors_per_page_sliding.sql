-- Requests and errors of each page, over a sliding window. The query adds up tumbling windows: size
-- and slide are multiples of their length (flink_app/settings.py).
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

CREATE TEMPORARY VIEW page_counts AS
SELECT window_time, webpage, requests, client_errors, server_errors
FROM page_windows;

INSERT INTO errors_per_page_sliding
SELECT
  CAST(window_start AS TIMESTAMP_LTZ(3)),
  CAST(window_end AS TIMESTAMP_LTZ(3)),
  webpage,
  SUM(requests),
  SUM(client_errors),
  SUM(server_errors),
  CAST(SUM(client_errors) + SUM(server_errors) AS DOUBLE) / SUM(requests)${sink_values}
FROM HOP(
  TABLE page_counts, DESCRIPTOR(window_time), ${sliding_slide}, ${sliding_size})
GROUP BY window_start, window_end, webpage;
