-- Which bots come: requests and bytes by kind and name.
-- Parameters: the first and the last day, such as '2025-10-01' and '2025-10-31'.
SELECT
  bot_kind,
  browser                        AS bot,
  COUNT(*)                       AS requests,
  COALESCE(SUM(bytes_sent), 0)   AS bytes_sent
FROM enriched
WHERE event_date BETWEEN ? AND ?
  AND is_bot
GROUP BY bot_kind, browser
ORDER BY requests DESC, bot_kind, bot;
