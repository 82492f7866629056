-- When the site is busy: the 24 hours (UTC) with the most requests.
-- Parameters: the first and the last day, such as '2025-10-01' and '2025-10-31'.
SELECT
  event_date,
  event_hour,
  COUNT(*)                       AS requests,
  COUNT(DISTINCT host)           AS hosts,
  COALESCE(SUM(bytes_sent), 0)   AS bytes_sent,
  COUNT_IF(is_error)             AS errors
FROM enriched
WHERE event_date BETWEEN ? AND ?
GROUP BY event_date, event_hour
ORDER BY requests DESC, event_date, event_hour
LIMIT 24;
