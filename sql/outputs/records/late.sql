-- Enriched records that came after their window had closed. They are in
-- `enriched` too; the aggregates lack them.
-- Key: host
CREATE TEMPORARY TABLE late (
  ${body_columns}${sink_columns}
) ${partitioned_by}WITH (
  ${sink}
);

INSERT INTO late
SELECT ${body_values}${sink_values}
FROM late_events;
