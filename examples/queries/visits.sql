-- The longest visits of the last run. A visit is the requests of a host without a pause of half an hour.
SELECT host, country(host) AS country, window_start, page_views, requests, errors
FROM sessions
ORDER BY page_views DESC, window_start
LIMIT 10;
