-- Alerts: one row when an alert starts, one when it ends. All rules share this file. They differ in
-- what they measure and compare with, but not in when an alert starts and ends, the longer part.
--
--     measures -> rules -> breaches -> lasting breaches -> started
--     (windows)                                         \-> ended
--
-- A breach is a window in which a rule's metric exceeds its threshold. A window without traffic has no
-- row, so it is no breach, and nothing here waits for it.
--
-- State is bounded: windows are dropped when the watermark has passed them, and each OVER
-- reaches back a fixed time, after which Flink forgets the key. LAG, or MATCH_RECOGNIZE,
-- would keep something of every page and host there ever was.
-- Key: alert, subject
CREATE TEMPORARY TABLE alerts (
  alert         STRING,
  state         STRING,
  metric        STRING,
  subject_type  STRING,
  subject       STRING,
  metric_value  DOUBLE,
  threshold     DOUBLE,
  window_start  TIMESTAMP_LTZ(3),
  window_end    TIMESTAMP_LTZ(3),
  changed_at    TIMESTAMP_LTZ(3),
  lines         BIGINT,
  dead_letters  BIGINT,
  requests      BIGINT,
  errors        BIGINT,
  server_errors BIGINT,
  probes        BIGINT,
  subject_text  STRING${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

-- The measures of a window: of the whole site, of each page, of each host.
CREATE TEMPORARY VIEW site_measures AS
SELECT
  window_start, window_end, window_time,
  ''                                            AS subject,
  lines,
  dead_letters,
  requests,
  client_errors + server_errors                 AS errors,
  server_errors,
  probes
FROM site_windows;

CREATE TEMPORARY VIEW page_measures AS
SELECT
  window_start, window_end, window_time,
  webpage                                       AS subject,
  requests                                      AS lines,
  CAST(0 AS BIGINT)                             AS dead_letters,
  requests,
  client_errors + server_errors                 AS errors,
  server_errors,
  probes
FROM page_windows
WHERE webpage IS NOT NULL;

CREATE TEMPORARY VIEW host_measures AS
SELECT
  window_start, window_end, window_time,
  host                                          AS subject,
  requests                                      AS lines,
  CAST(0 AS BIGINT)                             AS dead_letters,
  requests, errors, server_errors, probes
FROM host_windows;

-- Rules that compare with a number, and rules that compare with a baseline: a multiple of the mean over
-- the subject's windows before this one. OVER counts this window in, so it is subtracted again.
CREATE TEMPORARY VIEW breaches AS
SELECT
  alert, metric, subject_type, subject, measured_from, measured_to, measured_at,
  lines, dead_letters, requests, errors, server_errors, probes,
  metric_value, threshold, lasting_seconds
FROM (
  ${fixed_rules}
)
WHERE is_enough AND metric_value > threshold
UNION ALL
SELECT
  alert, metric, subject_type, subject, measured_from, measured_to, measured_at,
  lines, dead_letters, requests, errors, server_errors, probes,
  metric_value, threshold * past_sum / past_windows, lasting_seconds
FROM (
  SELECT
    *,
    SUM(metric_value) OVER baseline - metric_value AS past_sum,
    COUNT(*) OVER baseline - 1                     AS past_windows
  FROM (
    ${relative_rules}
  )
  WINDOW baseline AS (
    PARTITION BY alert, metric, subject_type, subject
    ORDER BY measured_at
    RANGE BETWEEN ${baseline} PRECEDING AND CURRENT ROW)
)
WHERE is_enough
  AND past_windows >= ${baseline_minimum_windows}
  AND metric_value > threshold * past_sum / past_windows;

-- Breaches that have lasted as long as their rule asks. A breach starts a run if the window before it
-- is no breach. The run of a breach is the latest that started. Where no start is within reach, the
-- run is longer than any rule asks.
--
-- Rules without a duration bypass this, and where all rules have none the planner leaves it out. That
-- saves memory: these two OVERs have eleven states, and in RocksDB each state has memory of its own,
-- however little it holds.
CREATE TEMPORARY VIEW lasting_breaches AS
SELECT *, measured_from AS run_start
FROM breaches
WHERE lasting_seconds = 0
UNION ALL
SELECT
  alert, metric, subject_type, subject, measured_from, measured_to, measured_at,
  lines, dead_letters, requests, errors, server_errors, probes,
  metric_value, threshold, lasting_seconds, run_start
FROM (
  SELECT
    *,
    MAX(CASE WHEN breaches_in_two_windows = 1 THEN measured_from END) OVER (
      PARTITION BY alert, metric, subject_type, subject
      ORDER BY measured_at
      RANGE BETWEEN ${longest_rule} PRECEDING AND CURRENT ROW) AS run_start
  FROM (
    SELECT
      *,
      COUNT(*) OVER (
        PARTITION BY alert, metric, subject_type, subject
        ORDER BY measured_at
        RANGE BETWEEN ${window_size} PRECEDING AND CURRENT ROW) AS breaches_in_two_windows
    FROM breaches
    WHERE lasting_seconds > 0
  )
)
WHERE run_start IS NULL
   OR TIMESTAMPDIFF(SECOND, run_start, measured_to) >= lasting_seconds;

-- An alert is a session of lasting breaches. It starts, and is reported, with the first breach after a
-- quiet time. It ends when a quiet time has passed since the last breach.
INSERT INTO alerts
SELECT
  alert, state, metric, subject_type, subject, metric_value, threshold,
  CAST(window_start AS TIMESTAMP_LTZ(3)),
  CAST(window_end AS TIMESTAMP_LTZ(3)),
  CAST(changed_at AS TIMESTAMP_LTZ(3)),
  lines, dead_letters, requests, errors, server_errors, probes,
  -- For texts that people get. Anybody can name a page by a request for it, so characters that could
  -- end a text in JSON, call a channel or make a link become question marks.
  REGEXP_REPLACE(SUBSTRING(subject, 1, 200), '[^\p{L}\p{N} ._:%+=,-]', '?')${sink_values}
FROM (
  SELECT
    alert, 'started' AS state, metric, subject_type, subject, metric_value, threshold,
    run_start AS window_start, measured_to AS window_end, measured_to AS changed_at,
    lines, dead_letters, requests, errors, server_errors, probes
  FROM (
    SELECT
      *,
      COUNT(*) OVER (
        PARTITION BY alert, metric, subject_type, subject
        ORDER BY measured_at
        RANGE BETWEEN ${quiet} PRECEDING AND CURRENT ROW) AS breaches_in_quiet_time
    FROM lasting_breaches
  )
  WHERE breaches_in_quiet_time = 1
  UNION ALL
  SELECT
    alert, 'ended', metric, subject_type, subject, MAX(metric_value), MIN(threshold),
    MIN(run_start), MAX(measured_to), MAX(measured_to) + ${quiet},
    SUM(lines), SUM(dead_letters), SUM(requests), SUM(errors), SUM(server_errors), SUM(probes)
  FROM SESSION(
    TABLE lasting_breaches PARTITION BY (alert, metric, subject_type, subject),
    DESCRIPTOR(measured_at), ${quiet})
  GROUP BY window_start, window_end, alert, metric, subject_type, subject
);
