-- What is the median follower count by year of joining and age group?
-- {{median}} is percentile_disc, which gives the lower of two middle values as percentile_approx does, or
-- percentile_cont with `insight.median: exact`, which gives their mean. Posts without a follower count have no say.
WITH aged AS (
    SELECT ind, CAST(year(date_joined) AS INT) AS join_year,
        CASE WHEN age BETWEEN 18 AND 24 THEN '18-24'
             WHEN age BETWEEN 25 AND 35 THEN '25-35'
             WHEN age BETWEEN 36 AND 50 THEN '36-50'
             WHEN age > 50 THEN '+50' END AS age_group
    FROM user
),
grouped AS (
    SELECT join_year, age_group, {{median}}(0.5) WITHIN GROUP (ORDER BY follower_count) AS median_follower_count
    FROM pin JOIN aged ON pin.ind = aged.ind
    WHERE join_year IS NOT NULL AND age_group IS NOT NULL AND follower_count IS NOT NULL
    GROUP BY join_year, age_group
)
SELECT join_year, age_group, median_follower_count
FROM grouped
ORDER BY join_year, CASE age_group WHEN '+50' THEN 1 ELSE 0 END, age_group
