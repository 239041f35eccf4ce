-- prelude.duckdb.sql - what sql/clean says differently in DuckDB and Spark; its twin is prelude.spark.sql.
-- Everything else in sql/clean and sql/insight is the dialect that both share.

-- A text that says something: NULL for an empty one and for one of ASCII white space only. Such a text sorts before
-- '!', and only those that do are trimmed: a CASE in a CASE, for the two sides of an AND may both be evaluated.
CREATE OR REPLACE TEMP MACRO present(text) AS
    CASE WHEN text < '!'
         THEN CASE WHEN trim(text, chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || ' ') = '' THEN NULL ELSE text END
         ELSE text END;

-- A point in time from the forms that senders use, UTC unless it says otherwise; NULL for any other text:
--     2018-03-04 05:06:07[.fraction]   str() of a datetime          2018-03-04T05:06:07[.fraction][Z|+02:00]   ISO 8601
--     2018:03:04 05:06:07              strftime with colons         03/04/2018, 05:06:07                       month first
-- DuckDB's cast to TIMESTAMP is fast but passes over an offset; the one to TIMESTAMP WITH TIME ZONE heeds it.
CREATE OR REPLACE TEMP MACRO timestamp_of(text) AS
    CASE WHEN text LIKE '____-__-__ __:__:__' OR text LIKE '____-__-__T__:__:__'
         THEN make_timestamptz(epoch_us(TRY_CAST(text AS TIMESTAMP)))
         WHEN regexp_matches(text, '^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-](0[0-9]|1[0-8])(:?[0-5][0-9])?)?$')
         THEN TRY_CAST(text AS TIMESTAMP WITH TIME ZONE)
         WHEN text LIKE '____:__:__ __:__:__'
         THEN make_timestamptz(epoch_us(TRY_CAST(
                  substr(text, 1, 4) || '-' || substr(text, 6, 2) || '-' || substr(text, 9) AS TIMESTAMP)))
         WHEN text LIKE '__/__/____, __:__:__'
         THEN make_timestamptz(epoch_us(TRY_CAST(
                  substr(text, 7, 4) || '-' || substr(text, 1, 2) || '-' || substr(text, 4, 2) || ' ' || substr(text, 13)
                  AS TIMESTAMP)))
    END;

-- [latitude, longitude]; NULL unless both are there.
CREATE OR REPLACE TEMP MACRO coordinates_of(latitude, longitude) AS
    CASE WHEN latitude IS NOT NULL AND longitude IS NOT NULL THEN [latitude, longitude] END;
