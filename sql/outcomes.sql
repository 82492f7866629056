-- One row per log line. The Python function runs once per source record and answers
-- with an array (udfs/flink/wire.py): first the keys of all events in one string, events
-- separated by U+001E, fields by U+001F, an empty field for NULL; then the JSON of each
-- event. The array crosses the JVM-Python border at much less cost than a row of fields.
--
-- The second UNNEST, over an array that holds one array, is there so that
-- SPLIT runs once per event: written inline, the planner would repeat it for
-- every column.
CREATE TEMPORARY VIEW outcomes AS
SELECT
  field[1]                                                    AS kind,
  TO_TIMESTAMP_LTZ(CAST(field[2] AS BIGINT), 3)               AS event_time,
  TO_TIMESTAMP_LTZ(CAST(NULLIF(field[3], '') AS BIGINT), 3)   AS progress_time,
  -- The last instant of the tumbling window that the event belongs to.
  TO_TIMESTAMP_LTZ(
    CAST(field[2] AS BIGINT)
      - MOD(CAST(field[2] AS BIGINT), ${window_size_ms}) + ${window_size_ms} - 1,
    3)                                                        AS window_last_instant,
  NULLIF(field[4], '')                                        AS host,
  NULLIF(field[5], '')                                        AS country,
  NULLIF(field[6], '')                                        AS webpage,
  field[7] = '1'                                              AS is_static,
  CAST(NULLIF(field[8], '') AS INT)                           AS status,
  CAST(NULLIF(field[9], '') AS BIGINT)                        AS bytes_sent,
  CAST(NULLIF(field[10], '') AS BIGINT)                       AS request_time_ms,
  NULLIF(field[11], '')                                       AS referer_type,
  NULLIF(field[12], '')                                       AS referring_site,
  NULLIF(field[13], '')                                       AS refering_page,
  NULLIF(field[14], '')                                       AS device_type,
  NULLIF(field[15], '')                                       AS browser,
  NULLIF(field[16], '')                                       AS os,
  NULLIF(field[17], '')                                       AS bot_kind,
  field[17] <> ''                                             AS is_bot,
  NULLIF(field[18], '')                                       AS issues,
  NULLIF(field[19], '')                                       AS reason,
  packed[1 + event_number]                                    AS body
FROM (SELECT enrich(data) AS packed FROM raw_log)
CROSS JOIN UNNEST(SPLIT(CAST(packed[1] AS STRING), U&'\001E'))
  WITH ORDINALITY AS events (event, event_number)
CROSS JOIN UNNEST(ARRAY[SPLIT(event, U&'\001F')]) AS fields (field);
