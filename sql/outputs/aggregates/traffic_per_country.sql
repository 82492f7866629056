-- Traffic of each country, per tumbling window. Distinct hosts are counted as the
-- record shows them, after any masking of addresses.
-- Key: country
CREATE TEMPORARY TABLE traffic_per_country (
  window_start   TIMESTAMP_LTZ(3),
  window_end     TIMESTAMP_LTZ(3),
  country        STRING,
  requests       BIGINT,
  bytes_sent     BIGINT,
  distinct_hosts BIGINT${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

INSERT INTO traffic_per_country
SELECT
  CAST(window_start AS TIMESTAMP_LTZ(3)),
  CAST(window_end AS TIMESTAMP_LTZ(3)),
  country,
  COUNT(*),
  COALESCE(SUM(bytes_sent), 0),
  COUNT(DISTINCT host)${sink_values}
FROM TUMBLE(TABLE timely_events, DESCRIPTOR(event_time), ${window_size})
GROUP BY window_start, window_end, country;
