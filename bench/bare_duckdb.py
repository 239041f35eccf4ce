"""bare_duckdb.py LAKE USER OUT THREADS: lake objects cleaned to Parquet by DuckDB alone; prints seconds and rows.

The peer of `pinrail batch` (bench/run peers): what a short script would do with the same objects. It reads every column
as text, makes of the placeholders NULL, of the counts, coordinates and times numbers, pairs and points in time, and
writes zstd Parquet. It gives rows that fail no place, keeps no position, syncs nothing, writes no Delta log. The clock
starts when DuckDB has been imported."""

import json
import pathlib
import sys
import time

import duckdb

READ = {
    "pin": ["index", "unique_id", "title", "description", "poster_name", "follower_count", "tag_list", "is_image_or_video",
            "image_src", "downloaded", "save_location", "category"],
    "geo": ["ind", "timestamp", "latitude", "longitude", "country"],
    "user": ["ind", "first_name", "last_name", "age", "date_joined"],
}

CLEAN = {
    "pin": """
        WITH said AS (
            SELECT * REPLACE (
                nullif(nullif(title, ''), 'No Title Data Available') AS title,
                CASE WHEN description IN ('', 'Untitled', 'No description available',
                                          'No description available Story format')
                     THEN NULL ELSE description END AS description,
                nullif(nullif(follower_count, ''), 'User Info Error') AS follower_count,
                nullif(nullif(poster_name, ''), 'User Info Error') AS poster_name,
                nullif(nullif(tag_list, ''), 'N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e') AS tag_list,
                nullif(nullif(image_src, ''), 'Image src error.') AS image_src)
            FROM raw)
        SELECT TRY_CAST("index" AS BIGINT) AS ind, unique_id, title, description,
               TRY_CAST(TRY_CAST(regexp_extract(follower_count, '^([0-9.]+)[kKmMbB]?$', 1) AS DOUBLE)
                        * CASE lower(right(follower_count, 1)) WHEN 'k' THEN 1000 WHEN 'm' THEN 1000000
                               WHEN 'b' THEN 1000000000 ELSE 1 END AS INT) AS follower_count,
               poster_name, tag_list, is_image_or_video, image_src,
               substr(save_location, instr(save_location, '/')) AS save_location, category
        FROM said""",
    "geo": """
        SELECT TRY_CAST(ind AS BIGINT) AS ind, nullif(country, '') AS country,
               CASE WHEN latitude IS NOT NULL AND longitude IS NOT NULL
                    THEN [TRY_CAST(latitude AS DOUBLE), TRY_CAST(longitude AS DOUBLE)] END AS coordinates,
               TRY_CAST("timestamp" AS TIMESTAMP) AS "timestamp"
        FROM raw""",
    "user": """
        SELECT TRY_CAST(ind AS BIGINT) AS ind, concat_ws(' ', first_name, last_name) AS user_name,
               TRY_CAST(age AS INT) AS age, TRY_CAST(date_joined AS TIMESTAMP) AS date_joined
        FROM raw""",
}


def main(lake, user, out, threads):
    start = time.monotonic()
    connection = duckdb.connect(config={"threads": int(threads)})
    rows = 0
    for entity, columns in READ.items():
        objects = f"{lake}/topics/{user}.{entity}/*/*.json"
        typed = ", ".join(f"'{column}': 'VARCHAR'" for column in columns)
        clean = CLEAN[entity].replace("FROM raw", f"FROM read_ndjson('{objects}', columns = {{{typed}}})")
        rows += connection.execute(f"COPY ({clean}) TO '{pathlib.Path(out) / entity}.parquet' "
                                   "(FORMAT parquet, COMPRESSION zstd)").fetchone()[0]
    print(json.dumps({"seconds": time.monotonic() - start, "rows": rows, "version": duckdb.__version__}))


main(*sys.argv[1:])
