-- Steps of visitors within the site, from page to page, per tumbling window. `referrers` has the
-- requests that came from elsewhere. Images, styles and scripts are no steps: each page would have
-- a row for everything that it shows.
-- Key: refering_page, webpage
CREATE TEMPORARY TABLE page_flow (
  window_start  TIMESTAMP_LTZ(3),
  window_end    TIMESTAMP_LTZ(3),
  refering_page STRING,
  webpage       STRING,
  requests      BIGINT${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

INSERT INTO page_flow
SELECT
  CAST(window_start AS TIMESTAMP_LTZ(3)),
  CAST(window_end AS TIMESTAMP_LTZ(3)),
  refering_page,
  webpage,
  COUNT(*)${sink_values}
FROM TUMBLE(TABLE timely_events, DESCRIPTOR(event_time), ${window_size})
WHERE referer_type = 'internal' AND NOT is_static AND webpage IS NOT NULL
GROUP BY window_start, window_end, refering_page, webpage;
