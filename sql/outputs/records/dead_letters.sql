-- Lines that could not be processed, with stage, reason and the original line.
CREATE TEMPORARY TABLE dead_letters (
  ${body_columns}${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

INSERT INTO dead_letters
SELECT ${body_values}${sink_values}
FROM timed_outcomes WHERE kind = 'D';
