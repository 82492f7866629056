-- Every enriched record, late ones included, as the JSON that Python made.
-- Key: host
CREATE TEMPORARY TABLE enriched (
  ${body_columns}${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

INSERT INTO enriched
SELECT ${body_values}${sink_values}
FROM enriched_events;
