-- The windows of one rule's subject with the value that the rule looks at. flink_app/alerts.py fills
-- this in for each rule and unites them.
--
-- Every count is passed on, whether the rule needs it or not. The counts are part of the alert, and
-- with the same counts all rules about a subject read the same aggregation, which the planner runs
-- once. (Rules as rows of a table, joined with the windows, would look neater. But the planner numbers
-- the join's correlation differently in each place, finds nothing equal, and runs whole branches twice.)
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
