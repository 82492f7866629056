-- The output enriched as JSON lines in folders by event time
-- (docs/lake.md). Put your bucket, and the prefix if there is one, in place of BUCKET.
-- Made by tools/deploy/tables.py.
CREATE EXTERNAL TABLE IF NOT EXISTS enriched (
  `host` string,
  `datetime` string,
  `request` string,
  `response` string,
  `bytes` string,
  `referer` string,
  `agent` string,
  `city` string,
  `country` string,
  `location` struct<lat:double,lon:double>,
  `os` string,
  `browser` string,
  `webpage` string,
  `refering_page` string,
  `device_type` string,
  `os_version` string,
  `browser_version` string,
  `is_bot` boolean,
  `bot_kind` string,
  `country_code` string,
  `method` string,
  `path` string,
  `protocol` string,
  `event_time` string,
  `status_class` string,
  `referer_type` string,
  `bytes_sent` bigint,
  `path_depth` bigint,
  `is_error` boolean,
  `is_static` boolean,
  `request_time_ms` bigint,
  `vhost` string,
  `proxy` string,
  `extra` map<string,string>,
  `region` string,
  `postal_code` string,
  `time_zone` string,
  `asn` bigint,
  `as_org` string,
  `quality` struct<status:string,issues:array<string>>,
  `hostname` string,
  `reference` map<string,string>,
  `event_id` string
)
PARTITIONED BY (event_date string, event_hour string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://BUCKET/enriched/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.event_date.type' = 'date',
  'projection.event_date.format' = 'yyyy-MM-dd',
  'projection.event_date.range' = '2015-01-01,NOW+1DAYS',
  'projection.event_hour.type' = 'integer',
  'projection.event_hour.range' = '0,23',
  'projection.event_hour.digits' = '2'
);
