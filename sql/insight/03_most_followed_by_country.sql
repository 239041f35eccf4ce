-- Who has the most followers in each country?
-- Ties are kept; a poster with several posts is named once. Posts without a follower count are left out, since their
-- null would rank first or last as the engine pleases.
WITH ranked AS (
    SELECT country, poster_name, follower_count,
           rank() OVER (PARTITION BY country ORDER BY follower_count DESC) AS place
    FROM pin JOIN geo ON pin.ind = geo.ind
    WHERE country IS NOT NULL AND follower_count IS NOT NULL
)
SELECT DISTINCT country, poster_name, follower_count
FROM ranked
WHERE place = 1
ORDER BY country, poster_name NULLS LAST
