"""The nine answers over rows made to be awkward: ties everywhere, placeholders, nulls, four forms of time, ages at the
borders of the groups, posts that lack a geo or user row, and rows sent twice (the second time with other content).
How: they go in by both ways, and each answer, of batch and of stream, with either median, must equal the one that
oracle.py works out in plain Python."""

import json
import random
import urllib.request

import oracle
from pinrail import wait_until

COUNTRIES = ["Albania", "Cote d'Ivoire", "Lao People's Democratic Republic", "Guinea-Bissau", None]
CATEGORIES = ["art", "diy-and-crafts", "quotes", "tattoos", ""]
FOLLOWERS = ["0", "7", "940", "1k", "1.5k", "51k", "985K", "2M", "15M", "1.25m", "User Info Error", "", None]
TIME_FORMS = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y:%m:%d %H:%M:%S", "%m/%d/%Y, %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]


def made_rows(seed, count):
    draw = random.Random(seed)

    def time(first_year, last_year):
        year, month, day = draw.randint(first_year, last_year), draw.randint(1, 12), draw.randint(1, 28)
        return f"{draw.choice(TIME_FORMS)}".replace("%Y", f"{year}").replace("%m", f"{month:02}").replace(
            "%d", f"{day:02}").replace("%H", f"{draw.randint(0, 23):02}").replace("%M", "59").replace("%S", "58")

    pins, geos, users = [], [], []
    for ind in draw.sample(range(count), count) + draw.choices(range(count), k=count // 3):
        pins.append({
            "index": ind, "unique_id": f"id-{ind}", "title": draw.choice(["a", " b ", "No Title Data Available"]),
            "description": draw.choice(["No description available", "Untitled", "🍂…\u00a0"]),
            "poster_name": draw.choice(["Zezè", "Let's Eat Cake", "Wear24-7"]), "follower_count": draw.choice(FOLLOWERS),
            "tag_list": "a,b", "is_image_or_video": "image", "image_src": "Image src error.", "downloaded": 0,
            "save_location": "Local save in /data/art", "category": draw.choice(CATEGORIES)})
        if draw.random() < 0.9:
            geos.append({"ind": ind, "timestamp": time(2017, 2022), "latitude": draw.choice([-88.5252, None]),
                         "longitude": 1.5, "country": draw.choice(COUNTRIES)})
        if draw.random() < 0.9:
            users.append({"ind": ind, "first_name": "A", "last_name": "B",
                          "age": draw.choice([17, 18, 24, 25, 35, 36, 50, 51, 90, None]), "date_joined": time(2015, 2017)})
    return {"pin": pins, "geo": geos, "user": users}


def post(url, body, content_type, method):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": content_type}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200


def test_the_answers_of_awkward_rows(serve):
    rows = made_rows(seed=7, count=300)
    for entity, records in rows.items():
        post(f"{serve.url}/topics/demo.{entity}", {"records": [{"value": row} for row in records]},
             "application/vnd.kafka.json.v2+json", "POST")
        for row in records:
            post(f"{serve.url}/streams/streaming-demo-{entity}/record",
                 {"StreamName": f"streaming-demo-{entity}", "Data": row, "PartitionKey": "one"}, "application/json", "PUT")

    def landed():
        counted = serve.command("audit", "--json", check=False).stdout  # nothing while a topic cannot be asked yet
        counts = json.loads(counted)["partitions"] if counted else []
        return len(counts) >= 6 and all(c["landed"] in (None, c["acknowledged"]) for c in counts)

    wait_until(landed, 60, 0.3)
    serve.command("batch")
    assert json.loads(serve.command("audit", "--wait", "60", "--json").stdout)["agree"]

    for median in ("lower", "exact"):
        for name, want in oracle.answers(rows["pin"], rows["geo"], rows["user"], median).items():
            assert want, f"the oracle has no rows for {name}: the comparison would prove nothing"
            for way in ([], ["--stream"]):
                got = serve.json("insight", name, "--insight-median", median, *way)
                assert [list(row.items()) for row in got] == [list(row.items()) for row in want], (name, median, way)

    # all at once, as objects that name their question; and kept as tables by the batch
    want = oracle.answers(rows["pin"], rows["geo"], rows["user"])
    everything = serve.json("insight")
    for name in want:
        assert [{k: v for k, v in row.items() if k != "insight"} for row in everything if row["insight"] == name] == want[name]
        kept = serve.json("sql", f"SELECT * FROM demo_insight_{name}")
        assert sorted(map(str, kept)) == sorted(map(str, want[name])), name
    assert serve.command("insight", "category_by_year").stdout.count("\n") > len(want["category_by_year"])
    assert serve.command("insight", "no_such_question", check=False).returncode == 64
