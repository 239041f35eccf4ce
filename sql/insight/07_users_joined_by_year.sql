-- How many users joined in each year?
-- Counts user rows, one for each post's ind: the tables have no key of a person.
SELECT CAST(year(date_joined) AS INT) AS join_year, count(*) AS number_users_joined
FROM user
WHERE date_joined IS NOT NULL
GROUP BY CAST(year(date_joined) AS INT)
ORDER BY join_year
