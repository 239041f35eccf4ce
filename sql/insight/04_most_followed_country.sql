-- In which country is the user with the most followers of all?
-- Exactly one row: of equals, the first by country and then by name.
SELECT country, poster_name, follower_count
FROM pin JOIN geo ON pin.ind = geo.ind
WHERE country IS NOT NULL AND follower_count IS NOT NULL
ORDER BY follower_count DESC, country, poster_name NULLS LAST
LIMIT 1
