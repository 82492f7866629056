-- Which pages are slow: mean, 95th percentile (about) and longest time of a request, where the log
-- has times. Pages with fewer than ten requests are left out, because one slow request would decide.
-- Parameters: the first and the last day, such as '2025-10-01' and '2025-10-31'.
SELECT
  webpage,
  COUNT(*)                                  AS requests,
  AVG(request_time_ms)                      AS mean_ms,
  APPROX_PERCENTILE(request_time_ms, 0.95)  AS p95_ms,
  MAX(request_time_ms)                      AS max_ms
FROM enriched
WHERE event_date BETWEEN ? AND ?
  AND request_time_ms IS NOT NULL
GROUP BY webpage
HAVING COUNT(*) >= 10
ORDER BY mean_ms DESC, webpage
LIMIT 20;
