-- What a clean pin is. Reads raw_pin: the columns of pin.yaml as text, NULL where JSON has null or no such column.
-- The rules and what other pipelines do instead: docs/cleaning.md. Columns that begin with _ serve the expectations
-- of pin.yaml and the table's own columns; they are not part of the clean row.
WITH said AS (
    -- Every placeholder for "nothing known" becomes NULL, by exact match in its own column.
    SELECT
        index,
        present(unique_id)                                                         AS unique_id,
        nullif(present(title), 'No Title Data Available')                          AS title,
        CASE WHEN description IN ('No description available', 'No description available Story format', 'Untitled')
             THEN NULL ELSE present(description) END                               AS description,
        nullif(present(follower_count), 'User Info Error')                         AS follower_text,
        nullif(present(poster_name), 'User Info Error')                            AS poster_name,
        nullif(present(tag_list), 'N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e')             AS tag_list,
        present(is_image_or_video)                                                 AS is_image_or_video,
        nullif(present(image_src), 'Image src error.')                             AS image_src,
        present(save_location)                                                     AS save_text,
        present(category)                                                          AS category,
        _topic, _partition, _offset, _ingested_at, _fault, _rule, _original
    FROM raw_pin
),
counted AS (
    SELECT *, TRY_CAST(regexp_extract(follower_text, '^([0-9]{1,12}([.][0-9]{1,6})?)[kKmMbB]?$', 1) AS DOUBLE) AS follower_number
    FROM said
)
SELECT
    TRY_CAST(index AS BIGINT)                                                      AS ind,
    unique_id,
    title,
    description,
    -- 940, 51k, 1.5M: the number times its suffix; a part of a follower is cut off. Rounding takes back what binary
    -- fractions add (1.001 * 1000 is 1000.9999999999999): behind six decimals and a suffix there is nothing to round.
    TRY_CAST(floor(
        CASE lower(right(follower_text, 1))
            WHEN 'k' THEN round(follower_number * 1000, 3)
            WHEN 'm' THEN round(follower_number * 1000000)
            WHEN 'b' THEN round(follower_number * 1000000000)
            ELSE follower_number END
    ) AS INT)                                                                      AS follower_count,
    poster_name,
    tag_list,
    is_image_or_video,
    image_src,
    -- `Local save in /data/art`: the path begins at the first slash.
    CASE WHEN instr(save_text, '/') > 0 THEN substr(save_text, instr(save_text, '/')) END AS save_location,
    category,
    follower_text AS _follower_text,
    save_text     AS _save_text,
    _topic, _partition, _offset, _ingested_at, _fault, _rule, _original
FROM counted
