-- Pages that fail most, and the sites whose links lead there.
SELECT webpage, referring_site, COUNT(*) AS failures, MAX(event_time) AS latest
FROM access_log
WHERE status >= 400
GROUP BY webpage, referring_site
ORDER BY failures DESC, webpage
LIMIT 10;
