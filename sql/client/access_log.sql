-- The enriched access log, straight from the raw lines, each field a column.
CREATE TEMPORARY VIEW access_log AS
SELECT
  event_time,
  host,
  JSON_VALUE(body, '$.city')                              AS city,
  country,
  JSON_VALUE(body, '$.method')                            AS request_method,
  JSON_VALUE(body, '$.path')                              AS request_path,
  status,
  bytes_sent,
  webpage,
  JSON_VALUE(body, '$.refering_page')                     AS refering_page,
  referer_type,
  referring_site,
  browser,
  os,
  device_type,
  is_bot,
  JSON_VALUE(body, '$.agent')                             AS agent,
  body                                                    AS enriched_json
FROM outcomes
WHERE kind = 'E';
