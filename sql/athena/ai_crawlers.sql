-- What crawlers of AI services take: bytes, requests and pages of each, most bytes first.
-- Parameters: the first and the last day, such as '2025-10-01' and '2025-10-31'.
SELECT
  browser                        AS bot,
  COALESCE(SUM(bytes_sent), 0)   AS bytes_sent,
  COUNT(*)                       AS requests,
  COUNT(DISTINCT webpage)        AS pages
FROM enriched
WHERE event_date BETWEEN ? AND ?
  AND bot_kind = 'ai'
GROUP BY browser
ORDER BY bytes_sent DESC, bot;
