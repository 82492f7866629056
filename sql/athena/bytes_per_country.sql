-- Where bytes go: what was sent to each country, people and bots apart.
-- Parameters: the first and the last day, such as '2025-10-01' and '2025-10-31'.
SELECT
  country,
  COALESCE(SUM(bytes_sent), 0)                                 AS bytes_sent,
  COALESCE(SUM(CASE WHEN is_bot THEN bytes_sent END), 0)       AS to_bots,
  COUNT(*)                                                     AS requests
FROM enriched
WHERE event_date BETWEEN ? AND ?
GROUP BY country
ORDER BY bytes_sent DESC, country;
