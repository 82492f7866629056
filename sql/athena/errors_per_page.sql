-- Which pages failed, day by day: requests, client and server errors, and the share of both.
-- Parameters: the first and the last day, such as '2025-10-01' and '2025-10-31'.
SELECT
  event_date,
  webpage,
  COUNT(*)                                      AS requests,
  COUNT_IF(status_class = '4xx')                AS client_errors,
  COUNT_IF(status_class = '5xx')                AS server_errors,
  CAST(COUNT_IF(is_error) AS double) / COUNT(*) AS error_rate
FROM enriched
WHERE event_date BETWEEN ? AND ?
GROUP BY event_date, webpage
HAVING COUNT_IF(is_error) > 0
ORDER BY event_date, COUNT_IF(is_error) DESC, webpage;
