-- Which lines failed, and how many of them ./build.sh replay can send again: lines that are whole in
-- their letter (masked ones count, they go with --masked) and were not given up. The day of a letter
-- is that of its line or, where the line has no readable time, that of the failure.
-- Parameters: the first and the last day, such as '2025-10-01' and '2025-10-31'.
SELECT
  stage,
  reason,
  COUNT(*)         AS letters,
  COUNT_IF(
    raw IS NOT NULL
    AND raw_bytes IS NULL
    AND reason NOT IN ('attempts_exhausted', 'too_many_lines')
  )                AS replayable,
  MIN(failed_at)   AS first_failed,
  MAX(failed_at)   AS last_failed
FROM dead_letters
WHERE event_date BETWEEN ? AND ?
GROUP BY stage, reason
ORDER BY letters DESC, stage, reason;
