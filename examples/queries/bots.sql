-- What bots request, and how much they get.
SELECT bot_kind, browser AS bot, COUNT(*) AS requests, SUM(bytes_sent) / 1000000 AS megabytes
FROM access_log
WHERE is_bot
GROUP BY bot_kind, browser
ORDER BY requests DESC
LIMIT 10;
