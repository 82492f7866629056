-- The windows of one rule's subject with the value that the rule looks at
-- (flink_app/alerts.py fills it in; the rules are then united).
--
-- Every count is passed on whatever the rule needs of them. They are part of the alert,
-- and so all rules about a subject read the very same aggregation: the planner finds it
-- equal in each and runs it once. (Rules as rows of a table that the windows are joined
-- with look neater, but the join gives its correlation another number in each place that reads
-- it, nothing is found equal any more, and whole branches run twice.)
SELECT
  CAST(${name} AS STRING)           AS alert,
  CAST(${metric} AS STRING)         AS metric,
  CAST(${subject_type} AS STRING)   AS subject_type,
  subject,
  window_start                      AS measured_from,
  window_end                        AS measured_to,
  window_time                       AS measured_at,
  lines,
  dead_letters,
  requests,
  errors,
  server_errors,
  probes,
  CAST(${metric_value} AS DOUBLE)   AS metric_value,
  CAST(${threshold} AS DOUBLE)      AS threshold,
  ${is_enough}                      AS is_enough,
  ${lasting_seconds}                AS lasting_seconds
FROM ${measures};
