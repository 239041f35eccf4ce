-- prelude.spark.sql - the functions of prelude.duckdb.sql for Spark 4 and Databricks (SQL functions; Spark 3.5 has
-- them only on Databricks). The session's time zone must be UTC. The meanings are told there.

CREATE OR REPLACE TEMPORARY FUNCTION present(text STRING) RETURNS STRING RETURN
    CASE WHEN text < '!' AND trim(BOTH concat(char(9), char(10), char(11), char(12), char(13), ' ') FROM text) = '' THEN NULL
         ELSE text END;

CREATE OR REPLACE TEMPORARY FUNCTION timestamp_of(text STRING) RETURNS TIMESTAMP RETURN
    CASE WHEN text LIKE '____-__-__ __:__:__' OR text LIKE '____-__-__T__:__:__' THEN TRY_CAST(text AS TIMESTAMP)
         WHEN text RLIKE '^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-](0[0-9]|1[0-8])(:?[0-5][0-9])?)?$'
         THEN TRY_CAST(text AS TIMESTAMP)
         WHEN text LIKE '____:__:__ __:__:__'
         THEN TRY_CAST(substr(text, 1, 4) || '-' || substr(text, 6, 2) || '-' || substr(text, 9) AS TIMESTAMP)
         WHEN text LIKE '__/__/____, __:__:__'
         THEN TRY_CAST(substr(text, 7, 4) || '-' || substr(text, 1, 2) || '-' || substr(text, 4, 2) || ' ' || substr(text, 13) AS TIMESTAMP)
    END;

CREATE OR REPLACE TEMPORARY FUNCTION coordinates_of(latitude DOUBLE, longitude DOUBLE) RETURNS ARRAY<DOUBLE> RETURN
    CASE WHEN latitude IS NOT NULL AND longitude IS NOT NULL THEN array(latitude, longitude) END;
