-- Who has the most followers in each country?
-- Ties are kept; a poster with several posts is named once. Posts without a follower count are left out, since their
-- null would rank first or last as the engine pleases. The most of each country is found first and then looked up:
-- ranking all posts would hold every one of them with its poster's name.
SELECT DISTINCT geo.country, pin.poster_name, pin.follower_count
FROM pin
JOIN geo ON pin.ind = geo.ind
JOIN (
    SELECT geo.country AS of_country, max(pin.follower_count) AS most
    FROM pin JOIN geo ON pin.ind = geo.ind
    WHERE geo.country IS NOT NULL
    GROUP BY geo.country
) AS best ON geo.country = best.of_country AND pin.follower_count = best.most
ORDER BY geo.country, pin.poster_name NULLS LAST
