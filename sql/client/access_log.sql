-- The enriched access log, made from the raw lines while it is read, with a column for each field.
CREATE TEMPORARY VIEW access_log AS
SELECT
  event_time,
  host,
  JSON_VALUE(json, '$.city')                              AS city,
  country,
  JSON_VALUE(json, '$.method')                            AS request_method,
  JSON_VALUE(json, '$.path')                              AS request_path,
  status,
  bytes_sent,
  webpage,
  JSON_VALUE(json, '$.refering_page')                     AS refering_page,
  referer_type,
  referring_site,
  browser,
  os,
  device_type,
  is_bot,
  bot_kind,
  JSON_VALUE(json, '$.region')                            AS region,
  JSON_VALUE(json, '$.time_zone')                         AS time_zone,
  CAST(JSON_VALUE(json, '$.asn') AS BIGINT)               AS asn,
  JSON_VALUE(json, '$.as_org')                            AS as_org,
  JSON_VALUE(json, '$.agent')                             AS agent,
  request_time_ms,
  JSON_VALUE(json, '$.vhost')                             AS vhost,
  JSON_VALUE(json, '$.proxy')                             AS proxy,
  JSON_QUERY(json, '$.extra')                             AS extra,
  json                                                    AS enriched_json
FROM (SELECT *, CAST(body AS STRING) AS json FROM outcomes)
WHERE kind = 'E';
