-- Who tries to break in: requests that look like an attempt, by kind and by the network (autonomous
-- system) that they come from. Networks need a second database (docs/who.md).
-- Parameters: the first and the last day, such as '2025-10-01' and '2025-10-31'.
SELECT
  asn,
  as_org,
  issue                  AS probe,
  COUNT(*)               AS requests,
  COUNT(DISTINCT host)   AS hosts,
  MIN(event_time)        AS first_seen,
  MAX(event_time)        AS last_seen
FROM enriched
CROSS JOIN UNNEST(quality.issues) AS issues (issue)
WHERE event_date BETWEEN ? AND ?
  AND issue LIKE 'probe%'
GROUP BY asn, as_org, issue
ORDER BY requests DESC, asn, probe;
