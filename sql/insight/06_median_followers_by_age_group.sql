-- What is the median follower count in each age group?
-- {{median}} is percentile_disc, which gives the lower of two middle values as percentile_approx does, or
-- percentile_cont with `insight.median: exact`, which gives their mean. Posts without a follower count have no say.
WITH aged AS (
    SELECT ind,
        CASE WHEN age BETWEEN 18 AND 24 THEN '18-24'
             WHEN age BETWEEN 25 AND 35 THEN '25-35'
             WHEN age BETWEEN 36 AND 50 THEN '36-50'
             WHEN age > 50 THEN '+50' END AS age_group
    FROM user
),
grouped AS (
    SELECT age_group, {{median}}(0.5) WITHIN GROUP (ORDER BY follower_count) AS median_follower_count
    FROM pin JOIN aged ON pin.ind = aged.ind
    WHERE age_group IS NOT NULL AND follower_count IS NOT NULL
    GROUP BY age_group
)
SELECT age_group, median_follower_count
FROM grouped
ORDER BY CASE age_group WHEN '+50' THEN 1 ELSE 0 END, age_group
