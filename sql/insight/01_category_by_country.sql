-- Which category is the most popular in each country?
-- Ties are kept. Posts without a category or country are not counted.
WITH counted AS (
    SELECT country, category, count(*) AS category_count
    FROM pin JOIN geo ON pin.ind = geo.ind
    WHERE country IS NOT NULL AND category IS NOT NULL
    GROUP BY country, category
),
ranked AS (
    SELECT country, category, category_count,
           rank() OVER (PARTITION BY country ORDER BY category_count DESC) AS place
    FROM counted
)
SELECT country, category, category_count
FROM ranked
WHERE place = 1
ORDER BY country, category
