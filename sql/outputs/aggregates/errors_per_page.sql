-- Requests and errors of each page, per tumbling window.
-- Key: webpage
CREATE TEMPORARY TABLE errors_per_page (
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

INSERT INTO errors_per_page
SELECT
  CAST(window_start AS TIMESTAMP_LTZ(3)),
  CAST(window_end AS TIMESTAMP_LTZ(3)),
  webpage,
  requests,
  client_errors,
  server_errors,
  CAST(client_errors + server_errors AS DOUBLE) / requests${sink_values}
FROM page_windows;
