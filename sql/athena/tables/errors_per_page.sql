-- The output errors_per_page as JSON lines in folders by event time
-- (docs/lake.md). Put your bucket, and the prefix if there is one, in place of BUCKET.
-- Made by tools/deploy/tables.py.
CREATE EXTERNAL TABLE IF NOT EXISTS errors_per_page (
  `window_start` string,
  `window_end` string,
  `webpage` string,
  `requests` bigint,
  `client_errors` bigint,
  `server_errors` bigint,
  `error_rate` double
)
PARTITIONED BY (event_date string, event_hour string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://BUCKET/errors_per_page/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.event_date.type' = 'date',
  'projection.event_date.format' = 'yyyy-MM-dd',
  'projection.event_date.range' = '2015-01-01,NOW+1DAYS',
  'projection.event_hour.type' = 'integer',
  'projection.event_hour.range' = '0,23',
  'projection.event_hour.digits' = '2'
);
