-- Which category is the most popular in each age group?
-- Ties are kept. Users under 18 or of unknown age are in no group.
WITH aged AS (
    SELECT ind,
        CASE WHEN age BETWEEN 18 AND 24 THEN '18-24'
             WHEN age BETWEEN 25 AND 35 THEN '25-35'
             WHEN age BETWEEN 36 AND 50 THEN '36-50'
             WHEN age > 50 THEN '+50' END AS age_group
    FROM user
),
counted AS (
    SELECT age_group, category, count(*) AS category_count
    FROM pin JOIN aged ON pin.ind = aged.ind
    WHERE age_group IS NOT NULL AND category IS NOT NULL
    GROUP BY age_group, category
),
ranked AS (
    SELECT age_group, category, category_count,
           rank() OVER (PARTITION BY age_group ORDER BY category_count DESC) AS place
    FROM counted
)
SELECT age_group, category, category_count
FROM ranked
WHERE place = 1
ORDER BY CASE age_group WHEN '+50' THEN 1 ELSE 0 END, age_group, category
