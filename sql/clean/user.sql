-- What a clean user row is: who made a post. Reads raw_user: the columns of user.yaml as text, NULL where JSON has
-- null or no such column. Rules: docs/cleaning.md.
WITH said AS (
    SELECT
        TRY_CAST(ind AS BIGINT) AS ind,
        present(first_name)     AS first_name,
        present(last_name)      AS last_name,
        TRY_CAST(age AS INT)    AS age,
        age                     AS age_text,
        present(date_joined)    AS joined_text,
        _topic, _partition, _offset, _ingested_at, _fault, _rule, _original
    FROM raw_user
)
SELECT
    ind,
    -- One of the two alone is still a name.
    nullif(concat_ws(' ', first_name, last_name), '') AS user_name,
    age,
    timestamp_of(joined_text)                         AS date_joined,
    age_text    AS _age_text,
    joined_text AS _joined_text,
    _topic, _partition, _offset, _ingested_at, _fault, _rule, _original
FROM said
