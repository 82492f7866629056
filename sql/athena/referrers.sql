-- Where visitors come from: other sites by kind and name, most requests first.
-- Parameters: the first and the last day, such as '2025-10-01' and '2025-10-31'.
SELECT
  referer_type,
  REGEXP_EXTRACT(referer, '^[a-z]+://([^/?#:]+)', 1) AS site,
  COUNT(*)                                           AS requests,
  COUNT(DISTINCT host)                               AS hosts
FROM enriched
WHERE event_date BETWEEN ? AND ?
  AND referer_type NOT IN ('internal', 'none')
GROUP BY referer_type, REGEXP_EXTRACT(referer, '^[a-z]+://([^/?#:]+)', 1)
ORDER BY requests DESC, referer_type, site
LIMIT 50;
