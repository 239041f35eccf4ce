-- Which category was the most popular in each year?
-- The year is that of the post. Every year there is; ties are kept.
WITH counted AS (
    SELECT CAST(year(geo.timestamp) AS INT) AS post_year, category, count(*) AS category_count
    FROM pin JOIN geo ON pin.ind = geo.ind
    WHERE geo.timestamp IS NOT NULL AND category IS NOT NULL
    GROUP BY CAST(year(geo.timestamp) AS INT), category
),
ranked AS (
    SELECT post_year, category, category_count,
           rank() OVER (PARTITION BY post_year ORDER BY category_count DESC) AS place
    FROM counted
)
SELECT post_year, category, category_count
FROM ranked
WHERE place = 1
ORDER BY post_year, category
