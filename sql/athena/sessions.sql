-- How visits go, day by day: how many, their mean length, requests and pages, and the share that saw
-- one page at most. A visit is that of the output `sessions`: requests of a host without a pause of
-- more than 30 minutes (between windows of a minute), until midnight UTC.
-- Parameters: the first and the last day, such as '2025-10-01' and '2025-10-31'.
WITH requests AS (
  SELECT
    event_date,
    host,
    is_static,
    FROM_ISO8601_TIMESTAMP(event_time)                       AS requested_at,
    DATE_TRUNC('minute', FROM_ISO8601_TIMESTAMP(event_time)) AS requested_in
  FROM enriched
  WHERE event_date BETWEEN ? AND ?
    AND host <> '***'
),
paused AS (
  SELECT
    *,
    CASE
      WHEN DATE_DIFF('minute', LAG(requested_in) OVER in_turn, requested_in) <= 30 THEN 0
      ELSE 1
    END AS begins
  FROM requests
  WINDOW in_turn AS (PARTITION BY event_date, host ORDER BY requested_at)
),
numbered AS (
  SELECT
    *,
    SUM(begins) OVER (
      PARTITION BY event_date, host ORDER BY requested_at
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS visit
  FROM paused
),
visits AS (
  SELECT
    event_date,
    COUNT(*)                                                   AS requests,
    COUNT_IF(NOT is_static)                                    AS page_views,
    DATE_DIFF('second', MIN(requested_at), MAX(requested_at))  AS seconds
  FROM numbered
  GROUP BY event_date, host, visit
)
SELECT
  event_date,
  COUNT(*)                                             AS visits,
  SUM(requests)                                        AS requests,
  AVG(CAST(seconds AS double))                         AS mean_seconds,
  AVG(CAST(page_views AS double))                      AS mean_page_views,
  CAST(COUNT_IF(page_views <= 1) AS double) / COUNT(*) AS bounce_rate
FROM visits
GROUP BY event_date
ORDER BY event_date;
