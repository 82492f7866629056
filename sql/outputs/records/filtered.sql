-- Lines left out on purpose: reason and time only, no personal data.
CREATE TEMPORARY TABLE filtered (
  ${body_columns}${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

INSERT INTO filtered
SELECT ${body_values}${sink_values}
FROM timed_outcomes WHERE kind = 'F';
