-- Where visitors are: the ten countries with the most requests by people, and their share of all.
-- Parameters: the first and the last day, such as '2025-10-01' and '2025-10-31'.
SELECT
  country,
  COUNT(*)                                           AS requests,
  COUNT(DISTINCT host)                               AS hosts,
  CAST(COUNT(*) AS double) / SUM(COUNT(*)) OVER ()   AS share
FROM enriched
WHERE event_date BETWEEN ? AND ?
  AND NOT is_bot
GROUP BY country
ORDER BY requests DESC, country
LIMIT 10;
