-- How the site answers, day by day: requests of each class of status, and the share of errors.
-- Parameters: the first and the last day, such as '2025-10-01' and '2025-10-31'.
SELECT
  event_date,
  COUNT(*)                                      AS requests,
  COUNT_IF(status_class = '1xx')                AS informational,
  COUNT_IF(status_class = '2xx')                AS successes,
  COUNT_IF(status_class = '3xx')                AS redirections,
  COUNT_IF(status_class = '4xx')                AS client_errors,
  COUNT_IF(status_class = '5xx')                AS server_errors,
  CAST(COUNT_IF(is_error) AS double) / COUNT(*) AS error_rate
FROM enriched
WHERE event_date BETWEEN ? AND ?
GROUP BY event_date
ORDER BY event_date;
