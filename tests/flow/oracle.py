"""What the clean rows and the nine answers must be, computed from raw rows in plain Python.

Written from the rules (docs/cleaning.md), not from the SQL: it shares no code and no engine with pinrail, so that a
slip in either shows as a difference.

    oracle.clean_pin(row)                                   # a row as json.loads() gives it
    oracle.answers(pins, geos, users)["category_by_year"]   # from raw rows: a list of dicts, in the order pinrail prints

A row that belongs in quarantine raises ValueError.
"""
import datetime
import re
from collections import Counter, defaultdict
from decimal import Decimal

WHITE = " \t\n\v\f\r"
MISSING = {
    "title": {"No Title Data Available"},
    "description": {"No description available", "No description available Story format", "Untitled"},
    "poster_name": {"User Info Error"},
    "follower_count": {"User Info Error"},
    "tag_list": {"N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"},
    "image_src": {"Image src error."},
}
TIME_FORMS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y:%m:%d %H:%M:%S", "%m/%d/%Y, %H:%M:%S")
AGE_GROUPS = ("18-24", "25-35", "36-50", "+50")


def text(row, column):
    """The text of a column, None where it says nothing."""
    value = row.get(column)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"{column}: {value!r} is no string")
    if not value.strip(WHITE) or value in MISSING.get(column, ()):
        return None
    return value


def integer(row, column):
    value = row.get(column)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise ValueError(f"{column}: {value!r} is no whole number")
    return value


def number(row, column):
    value = row.get(column)
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise ValueError(f"{column}: {value!r} is no number")
    return None if value is None else float(value)


def key(row, column):
    value = integer(row, column)
    if value is None or value < 0:
        raise ValueError(f"{column}: {value!r} is no key")
    return value


def time(row, column):
    """Naive and UTC."""
    value = text(row, column)
    if value is None:
        return None
    for form in TIME_FORMS:
        try:
            return datetime.datetime.strptime(value, form)
        except ValueError:
            pass
    stamp = datetime.datetime.fromisoformat(re.sub("Z$", "+00:00", value))
    if stamp.tzinfo:
        stamp = stamp.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    return stamp


def followers(said):
    if said is None:
        return None
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kKmMbB]?)", said)
    if not match:
        raise ValueError(f"follower_count: {said!r} is no number")
    count = int(Decimal(match[1]) * {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}[match[2].lower()])
    if count > 2**31 - 1:
        raise ValueError(f"follower_count: {said!r} is too large")
    return count


def clean_pin(row):
    place = text(row, "save_location")
    if place is not None:
        if "/" not in place:
            raise ValueError(f"save_location: {place!r} has no path")
        place = place[place.index("/"):]
    return {
        "ind": key(row, "index"),
        "unique_id": text(row, "unique_id"),
        "title": text(row, "title"),
        "description": text(row, "description"),
        "follower_count": followers(text(row, "follower_count")),
        "poster_name": text(row, "poster_name"),
        "tag_list": text(row, "tag_list"),
        "is_image_or_video": text(row, "is_image_or_video"),
        "image_src": text(row, "image_src"),
        "save_location": place,
        "category": text(row, "category"),
    }


def clean_geo(row):
    latitude, longitude = number(row, "latitude"), number(row, "longitude")
    if latitude is not None and abs(latitude) > 90 or longitude is not None and abs(longitude) > 180:
        raise ValueError(f"{latitude}, {longitude} is not on Earth")
    return {
        "ind": key(row, "ind"),
        "country": text(row, "country"),
        "coordinates": None if latitude is None or longitude is None else [latitude, longitude],
        "timestamp": time(row, "timestamp"),
    }


def clean_user(row):
    age = integer(row, "age")
    if age is not None and not 0 <= age <= 120:
        raise ValueError(f"age: {age}")
    names = [name for name in (text(row, "first_name"), text(row, "last_name")) if name is not None]
    return {
        "ind": key(row, "ind"),
        "user_name": " ".join(names) or None,
        "age": age,
        "date_joined": time(row, "date_joined"),
    }


def once(rows):
    """One row for each key: the first that came."""
    seen = {}
    for row in rows:
        seen.setdefault(row["ind"], row)
    return seen


def age_group(age):
    if age is None or age < 18:
        return None
    return AGE_GROUPS[0 if age <= 24 else 1 if age <= 35 else 2 if age <= 50 else 3]


def lower_median(values):
    return sorted(values)[(len(values) - 1) // 2]


def exact_median(values):
    values, half = sorted(values), len(values) // 2
    return float(values[half]) if len(values) % 2 else (values[half - 1] + values[half]) / 2


def top_categories(pairs, name, order=None):
    """The category or categories with most of the (group, category) pairs of each group, groups in order."""
    counts = defaultdict(Counter)
    for group, category in pairs:
        if group is not None and category is not None:
            counts[group][category] += 1
    return [
        {name: group, "category": category, "category_count": count}
        for group in sorted(counts, key=order)
        for category, count in sorted(counts[group].items())
        if count == max(counts[group].values())
    ]


def answers(pins, geos, users, median="lower"):
    """name -> list of rows, from raw rows in the order they came."""
    middle = {"lower": lower_median, "exact": exact_median}[median]
    pins, geos, users = once(map(clean_pin, pins)), once(map(clean_geo, geos)), once(map(clean_user, users))
    with_geo = [(pin, geos[ind]) for ind, pin in pins.items() if ind in geos]
    with_user = [(pin, users[ind]) for ind, pin in pins.items() if ind in users]
    in_order = AGE_GROUPS.index

    def year(stamp):
        return stamp.year if stamp else None

    def medians(groups):
        values = defaultdict(list)
        for (pin, user), group in zip(with_user, groups):
            parts = group if isinstance(group, tuple) else (group,)
            if pin["follower_count"] is not None and None not in parts:
                values[group].append(pin["follower_count"])
        return {group: middle(found) for group, found in values.items()}

    followed = [
        (geo["country"], pin["poster_name"], pin["follower_count"])
        for pin, geo in with_geo
        if geo["country"] is not None and pin["follower_count"] is not None
    ]
    most = defaultdict(int)
    for country, _, count in followed:
        most[country] = max(most[country], count)
    leaders = sorted(
        {entry for entry in followed if entry[2] == most[entry[0]]},
        key=lambda entry: (entry[0], entry[1] is None, entry[1] or ""),
    )
    first = sorted(leaders, key=lambda entry: -entry[2])[:1]
    leader_columns = ("country", "poster_name", "follower_count")

    by_age = medians([age_group(user["age"]) for _, user in with_user])
    by_year = medians([year(user["date_joined"]) for _, user in with_user])
    by_both = medians([(year(user["date_joined"]), age_group(user["age"])) for _, user in with_user])
    joined = Counter(user["date_joined"].year for user in users.values() if user["date_joined"])
    return {
        "category_by_country": top_categories(
            ((geo["country"], pin["category"]) for pin, geo in with_geo), "country"
        ),
        "category_by_year": top_categories(
            ((year(geo["timestamp"]), pin["category"]) for pin, geo in with_geo), "post_year"
        ),
        "most_followed_by_country": [dict(zip(leader_columns, entry)) for entry in leaders],
        "most_followed_country": [dict(zip(leader_columns, entry)) for entry in first],
        "category_by_age_group": top_categories(
            ((age_group(user["age"]), pin["category"]) for pin, user in with_user), "age_group", in_order
        ),
        "median_followers_by_age_group": [
            {"age_group": group, "median_follower_count": by_age[group]} for group in sorted(by_age, key=in_order)
        ],
        "users_joined_by_year": [
            {"join_year": joined_year, "number_users_joined": joined[joined_year]} for joined_year in sorted(joined)
        ],
        "median_followers_by_join_year": [
            {"join_year": joined_year, "median_follower_count": by_year[joined_year]} for joined_year in sorted(by_year)
        ],
        "median_followers_by_join_year_and_age_group": [
            {"join_year": joined_year, "age_group": group, "median_follower_count": by_both[joined_year, group]}
            for joined_year, group in sorted(by_both, key=lambda pair: (pair[0], in_order(pair[1])))
        ],
    }
