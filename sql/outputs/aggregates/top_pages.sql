-- The pages with the most requests, ranked within each tumbling window. Pages with
-- the same count are ranked by name, so that a replay ranks them alike.
CREATE TEMPORARY TABLE top_pages (
  window_start TIMESTAMP_LTZ(3),
  window_end   TIMESTAMP_LTZ(3),
  page_rank    BIGINT,
  webpage      STRING,
  requests     BIGINT${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

INSERT INTO top_pages
SELECT
  CAST(window_start AS TIMESTAMP_LTZ(3)),
  CAST(window_end AS TIMESTAMP_LTZ(3)),
  page_rank,
  webpage,
  requests${sink_values}
FROM (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY window_start, window_end
      ORDER BY requests DESC, webpage ASC) AS page_rank
  FROM page_windows
  WHERE webpage IS NOT NULL
)
WHERE page_rank <= ${top_n};
