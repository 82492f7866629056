-- Requests by where the visitor came from, per tumbling window.
-- Key: referer_type, referring_site
CREATE TEMPORARY TABLE referrers (
  window_start   TIMESTAMP_LTZ(3),
  window_end     TIMESTAMP_LTZ(3),
  referer_type   STRING,
  referring_site STRING,
  requests       BIGINT${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

INSERT INTO referrers
SELECT
  CAST(window_start AS TIMESTAMP_LTZ(3)),
  CAST(window_end AS TIMESTAMP_LTZ(3)),
  referer_type,
  referring_site,
  COUNT(*)${sink_values}
FROM TUMBLE(TABLE timely_events, DESCRIPTOR(event_time), ${window_size})
GROUP BY window_start, window_end, referer_type, referring_site;
