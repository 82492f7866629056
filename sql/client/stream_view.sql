-- The rows of one output, whatever else its stream carries. The table itself is in another database,
-- because nothing can be inserted into a view.
CREATE TEMPORARY VIEW ${output} AS
SELECT * FROM streams.${output}
WHERE ${rows};
