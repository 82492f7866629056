-- Traffic by kind of device, operating system and browser, per tumbling window.
-- Key: device_type, os, browser
CREATE TEMPORARY TABLE traffic_per_client (
  window_start TIMESTAMP_LTZ(3),
  window_end   TIMESTAMP_LTZ(3),
  device_type  STRING,
  os           STRING,
  browser      STRING,
  requests     BIGINT,
  bytes_sent   BIGINT${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

INSERT INTO traffic_per_client
SELECT
  CAST(window_start AS TIMESTAMP_LTZ(3)),
  CAST(window_end AS TIMESTAMP_LTZ(3)),
  device_type,
  os,
  browser,
  COUNT(*),
  COALESCE(SUM(bytes_sent), 0)${sink_values}
FROM TUMBLE(TABLE timely_events, DESCRIPTOR(event_time), ${window_size})
GROUP BY window_start, window_end, device_type, os, browser;
