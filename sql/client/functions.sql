-- The job's Python functions. The job itself runs enrich(BYTES). Each of the others answers one
-- question about one value.
CREATE TEMPORARY SYSTEM FUNCTION enrich      AS 'flink_app.sql_functions.enrich'      LANGUAGE PYTHON;
CREATE TEMPORARY SYSTEM FUNCTION page_name   AS 'flink_app.sql_functions.page_name'   LANGUAGE PYTHON;
CREATE TEMPORARY SYSTEM FUNCTION country     AS 'flink_app.sql_functions.country'     LANGUAGE PYTHON;
CREATE TEMPORARY SYSTEM FUNCTION city        AS 'flink_app.sql_functions.city'        LANGUAGE PYTHON;
CREATE TEMPORARY SYSTEM FUNCTION browser     AS 'flink_app.sql_functions.browser'     LANGUAGE PYTHON;
CREATE TEMPORARY SYSTEM FUNCTION os          AS 'flink_app.sql_functions.os'          LANGUAGE PYTHON;
CREATE TEMPORARY SYSTEM FUNCTION device_type AS 'flink_app.sql_functions.device_type' LANGUAGE PYTHON;
