-- The output alerts as JSON lines in folders by event time
-- (docs/lake.md). Put your bucket, and the prefix if there is one, in place of BUCKET.
-- Made by tools/deploy/tables.py.
CREATE EXTERNAL TABLE IF NOT EXISTS alerts (
  `alert` string,
  `state` string,
  `metric` string,
  `subject_type` string,
  `subject` string,
  `metric_value` double,
  `threshold` double,
  `window_start` string,
  `window_end` string,
  `changed_at` string,
  `lines` bigint,
  `dead_letters` bigint,
  `requests` bigint,
  `errors` bigint,
  `server_errors` bigint,
  `probes` bigint,
  `subject_text` string
)
PARTITIONED BY (event_date string, event_hour string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://BUCKET/alerts/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.event_date.type' = 'date',
  'projection.event_date.format' = 'yyyy-MM-dd',
  'projection.event_date.range' = '2015-01-01,NOW+1DAYS',
  'projection.event_hour.type' = 'integer',
  'projection.event_hour.range' = '0,23',
  'projection.event_hour.digits' = '2'
);
