-- Enriched records that came after their window had closed. They are in `enriched` too, but in no
-- aggregate.
-- Key: host
CREATE TEMPORARY TABLE late (
  ${body_columns}${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

INSERT INTO late
SELECT ${body_values}${sink_values}
FROM late_events;
