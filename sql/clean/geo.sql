-- What a clean geo row is: where and when a post was made. Reads raw_geo: the columns of geo.yaml as text, NULL where
-- JSON has null or no such column. Rules: docs/cleaning.md.
WITH said AS (
    SELECT
        TRY_CAST(ind AS BIGINT)       AS ind,
        present(country)              AS country,
        TRY_CAST(latitude AS DOUBLE)  AS latitude,
        TRY_CAST(longitude AS DOUBLE) AS longitude,
        latitude                      AS latitude_text,
        longitude                     AS longitude_text,
        present(timestamp)            AS time_text,
        _topic, _partition, _offset, _ingested_at, _fault, _rule, _original
    FROM raw_geo
)
SELECT
    ind,
    country,
    coordinates_of(latitude, longitude) AS coordinates,
    timestamp_of(time_text)             AS timestamp,
    latitude       AS _latitude,
    longitude      AS _longitude,
    latitude_text  AS _latitude_text,
    longitude_text AS _longitude_text,
    time_text      AS _time_text,
    _topic, _partition, _offset, _ingested_at, _fault, _rule, _original
FROM said
