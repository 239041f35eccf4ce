-- What is the median follower count of the users who joined in each year?
-- {{median}} is percentile_disc, which gives the lower of two middle values as percentile_approx does, or
-- percentile_cont with `insight.median: exact`, which gives their mean. Posts without a follower count have no say.
WITH joined AS (
    SELECT CAST(year(date_joined) AS INT) AS join_year, follower_count
    FROM pin JOIN user AS member ON pin.ind = member.ind
    WHERE date_joined IS NOT NULL AND follower_count IS NOT NULL
)
SELECT join_year, {{median}}(0.5) WITHIN GROUP (ORDER BY follower_count) AS median_follower_count
FROM joined
GROUP BY join_year
ORDER BY join_year
