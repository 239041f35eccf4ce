"""The dashboard. What could go wrong: figures that differ from what the stages hold, a page that loads something from
elsewhere or runs a row's text as markup, charts that stay empty, a request that is not a reading one. How: a pipeline that both ways have filled,
asked through the API, and looked at with a real browser that may not leave this machine."""

import gzip
import json
import urllib.parse

import pytest

import browser
from pinrail import Serve, http, wait_until

POSTS = 400
ANSWERS = {
    "category_by_country": ["country", "category", "category_count"],
    "category_by_year": ["post_year", "category", "category_count"],
    "most_followed_by_country": ["country", "poster_name", "follower_count"],
    "most_followed_country": ["country", "poster_name", "follower_count"],
    "category_by_age_group": ["age_group", "category", "category_count"],
    "median_followers_by_age_group": ["age_group", "median_follower_count"],
    "users_joined_by_year": ["join_year", "number_users_joined"],
    "median_followers_by_join_year": ["join_year", "median_follower_count"],
    "median_followers_by_join_year_and_age_group": ["join_year", "age_group", "median_follower_count"],
}
# A row that would run, were it taken for markup: its title becomes the page's if so.
TRAP = "<img src=x onerror=\"document.title='trapped'\"><script>document.title='trapped'</script>"


def get(serve, path, status=200):
    got, headers, body = http("GET", serve.page + path)
    assert got == status, (got, body)
    return json.loads(body) if headers["Content-Type"] == "application/json" else body


SENT = {"demo.pin": POSTS + 1, "demo.geo": POSTS + 1, "demo.user": POSTS, **{f"streaming-demo-{entity}": POSTS for entity in ("pin", "geo", "user")}}


def post(serve, topic, value):
    body = json.dumps({"records": [{"value": value}]})
    status, _, answer = http("POST", f"{serve.url}/topics/{topic}", body, {"Content-Type": "application/vnd.kafka.json.v2+json"})
    assert status == 200, answer


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    with Serve(tmp_path_factory.mktemp("dashboard") / "data", settings={"lake-rotate-schedule-interval-ms": 500}) as serve:
        fill(serve)
        yield serve


def fill(serve):
    """Both ways have brought POSTS posts into the tables; the batch way also a pin with a trap and a geo that must go aside."""
    wait_until(lambda: get(serve, "/api/status")["measured_ms"])  # a rate needs a look before
    for mode in ("batch", "streaming"):
        serve.command("emulate", "--mode", mode, "--count", POSTS, "--batch", 50, "--seed", 5, "--url", serve.url)
    post(serve, "demo.pin", {
        "index": 999999, "unique_id": "trap", "title": TRAP, "description": "d", "poster_name": "p", "follower_count": "1", "tag_list": "t",
        "is_image_or_video": "image", "image_src": "https://example.invalid/x.png", "downloaded": 1, "save_location": "Local save in /data/x", "category": "art"})
    post(serve, "demo.geo", {"ind": 999999})

    def landed():
        topics = get(serve, "/api/status")["topics"]
        return {t["topic"]: t["acknowledged"] for t in topics} == SENT and all(t["landed"] in (None, t["acknowledged"]) for t in topics)

    def adds_up():
        stages = get(serve, "/api/status")["stages"]
        return all(None not in (s["cleaned"], s["quarantined"]) and s["acknowledged"] == s["cleaned"] + s["quarantined"] for s in stages)

    wait_until(landed)
    serve.command("batch")
    wait_until(adds_up)


def test_the_figures_are_those_of_the_stages(filled):
    status = get(filled, "/api/status")
    assert status["user"] == "demo" and status["ingest"]["reachable"] is True and status["ingest"]["address"] == filled.kafka
    assert 0 < status["measured_ms"] <= status["now_ms"]
    assert status["lake_lag"] == 0
    audit = json.loads(filled.command("audit", "--json").stdout)
    of = {(t["topic"]): t for t in audit["partitions"]}
    for stage in status["stages"]:
        topic = f"demo.{stage['entity']}" if stage["way"] == "batch" else f"streaming-demo-{stage['entity']}"
        for name in ("acknowledged", "landed", "cleaned", "quarantined"):
            assert stage[name] == of[topic][name], (topic, name)
        assert stage["acknowledged"] == SENT[topic]
    assert {s["entity"]: s["quarantined"] for s in status["stages"] if s["way"] == "batch"} == {"pin": 0, "geo": 1, "user": 0}
    tables = {t["name"]: t for t in status["tables"]}
    listed = {t["name"]: t for t in filled.json("table", "list")}
    for name in ("demo_pin_table", "demo_geo_table", "demo_user_table", "demo_pin_stream", "demo_quarantine"):
        assert tables[name]["rows"] == int(listed[name]["rows"]) > 0 and tables[name]["bytes"] > 0
        assert tables[name]["version"] == int(listed[name]["version"])
    rates = get(filled, "/api/rates")
    assert rates["times"] == sorted(rates["times"]) and rates["times"]
    assert {t["topic"] for t in rates["topics"]} == set(of)
    assert all(len(t["rates"]) == len(rates["times"]) for t in rates["topics"])
    assert any(rate > 0 for t in rates["topics"] for rate in t["rates"])


def test_the_answers_are_those_of_the_command(filled):
    for source, flags in (("tables", []), ("streams", ["--stream"])):
        answers = get(filled, f"/api/insights?from={source}")
        assert {a["name"]: a["columns"] for a in answers} == ANSWERS
        for answer in answers:
            assert answer["title"] and answer["rows"] and answer["truncated"] is False
            expected = [list(row.values()) for row in filled.json("insight", answer["name"], *flags)]
            assert answer["rows"] == expected, answer["name"]


def test_newest_rows(filled):
    for table, columns in (("demo_geo_table", ["ind", "country", "coordinates", "timestamp"]), ("demo_user_stream", ["ind", "user_name", "age", "date_joined"])):
        answer = get(filled, f"/api/newest?table={table}&limit=7")
        assert answer["table"] == table and answer["columns"][: len(columns)] == columns and len(answer["rows"]) == 7
        offsets = [row[answer["columns"].index("_offset")] for row in answer["rows"]]
        assert offsets == sorted(offsets, reverse=True)
        newest = filled.json("sql", f"SELECT max(_offset) AS o FROM {table} WHERE _ingested_at = (SELECT max(_ingested_at) FROM {table})")[0]["o"]
        assert offsets[0] == newest
    trapped = get(filled, "/api/newest?table=demo_pin_table&limit=1")
    assert trapped["rows"][0][trapped["columns"].index("title")] == TRAP
    assert len(get(filled, "/api/newest?table=demo_pin_table")["rows"]) == 20


def test_wrong_requests_get_their_status(filled):
    for path, status in (
        ("/nothing", 404), ("/api", 404), ("/api/status/", 404), ("/../etc/passwd", 404), ("/sql/clean/pin.sql", 404),
        ("/api/insights?from=elsewhere", 400), ("/api/newest", 400), ("/api/newest?table=", 404),
        ("/api/newest?table=" + urllib.parse.quote("x'; DROP TABLE pin; --"), 404), ("/api/newest?table=../log", 404),
        ("/api/newest?table=demo_pin_table&limit=0", 400), ("/api/newest?table=demo_pin_table&limit=201", 400),
        ("/api/newest?table=demo_pin_table&limit=ten", 400),
    ):
        answer = get(filled, path, status)
        assert answer["error"] and answer["message"], path
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        status, headers, _ = http(method, filled.page + "/api/status", b"{}" if method in ("POST", "PUT", "PATCH") else None)
        assert status == 405 and headers["Allow"] == "GET, HEAD", method
    assert http("GET", filled.page + "/", headers={"Host": "evil.example"})[0] == 403
    assert http("GET", filled.page + "/", headers={"Host": "localhost:1"})[0] == 200
    status, headers, body = http("HEAD", filled.page + "/api/status")
    assert status == 200 and body == b"" and int(headers["Content-Length"]) > 0


def test_files_headers_and_health(filled):
    for path in ("/", "/app.js", "/style.css", "/icon.svg", "/api/status", "/healthz", "/nothing"):
        headers = http("GET", filled.page + path)[1]
        policy = dict(rule.strip().split(" ", 1) for rule in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'" and set(policy.values()) <= {"'none'", "'self'"}
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in headers
    _, plain, script = http("GET", filled.page + "/app.js")
    _, packed, less = http("GET", filled.page + "/app.js", headers={"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip" and gzip.decompress(less) == script and len(less) < len(script)
    assert plain["ETag"] != packed["ETag"] and plain["Content-Type"].startswith("text/javascript")
    status, _, body = http("GET", filled.page + "/app.js", headers={"If-None-Match": plain["ETag"]})
    assert (status, body) == (304, b"")
    assert get(filled, "/healthz") == {"status": "ok"} and get(filled, "/readyz") == {"status": "ready"}
    assert get(filled, "/version")["name"] == "pinrail"
    metrics = get(filled, "/metrics").decode()
    assert "# TYPE pinrail_page_requests_total counter" in metrics


def test_a_browser_shows_it(filled, tmp_path):
    page, console, asked = browser.look(filled.page + "/", tmp_path)
    assert not console, console
    assert {urllib.parse.urlsplit(url).path for url in asked} >= {"/app.js", "/style.css", "/api/status", "/api/rates", "/api/insights", "/api/newest"}
    assert {f"{u.scheme}://{u.netloc}" for u in map(urllib.parse.urlsplit, asked)} == {filled.page}, "something was asked for elsewhere"

    assert page.by_id("ingest").text == "reachable" and next(page.all("title")).text == "pinrail"
    stages = {row[0]: row[1:] for row in page.by_id("stages-table").rows()}
    for stage in get(filled, "/api/status")["stages"]:
        shown = ["–" if stage[name] is None else f"{stage[name]:,}" for name in ("acknowledged", "landed", "cleaned", "quarantined")]
        assert stages[f"{stage['entity']}, {stage['way']}"] == shown
    cards = {card.attributes["data-name"]: card for card in page.by_id("answers").children}
    for answer in get(filled, "/api/insights?from=tables"):
        card = cards.pop(answer["name"])
        assert next(card.all("h3")).text == answer["title"]
        assert len(card.rows()) == len(answer["rows"])
        assert [row[-1] for row in card.rows()] == [f"{row[-1]:,}" for row in answer["rows"]]
        assert len(list(card.all("canvas"))) == (0 if len(answer["rows"]) == 1 else 1)
    assert not cards
    canvases = list(page.all("canvas"))
    assert len(canvases) == 10, "rates, stages, and all answers but the one that is a single figure"
    for canvas in canvases:
        assert int(canvas.attributes["width"]) > 100 and "height" in canvas.attributes["style"], "nothing was drawn"
        assert canvas.attributes["role"] == "img" and (canvas.attributes.get("aria-label") or canvas.attributes["aria-labelledby"])
    newest = page.by_id("newest").rows()
    assert len(newest) == 20 and newest[0][2] == TRAP, "a row's text is shown as it is"


def test_bars_are_drawn(filled, tmp_path):
    dots = browser.colours(filled.page + "/", tmp_path)
    landed, cleaned = (0x3C, 0x78, 0xB4), (0x2B, 0x9A, 0x75)
    assert dots.get(landed, 0) > 1500 and dots.get(cleaned, 0) > 1500, sorted(dots.items(), key=lambda d: -d[1])[:12]


def test_the_page_outlives_ingest(filled):
    """Counts stay as they were last seen, health says what is the matter, and all comes back by itself."""
    before = get(filled, "/api/status")["stages"]
    killed = filled.pid("ingest")
    filled.kill("ingest")
    after = wait_until(lambda: (s := get(filled, "/api/status"))["measured_ms"] and s)
    assert [s["cleaned"] for s in after["stages"]] == [s["cleaned"] for s in before]
    wait_until(lambda: filled.pid("ingest") != killed)  # or what follows may still speak of the time before
    wait_until(lambda: (s := get(filled, "/api/status"))["ingest"]["reachable"] and s["stages"] == before)
