"""Rows out of a real MariaDB server, as JSON. What could go wrong: a row is missed where a page of keys ends, a FLOAT
gets the noise of a double, a date loses its T, text its encoding, or a password shows up somewhere. How: known rows
are loaded, `emulate --dry-run` prints what it would send, and both are compared value by value."""

import json
import random

import pytest

import mariadb
import pinrail
from pinrail import SAMPLES


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with mariadb.running(tmp_path_factory.mktemp("mariadb")) as running:
        yield running


def dry_run(*args, **kwargs):
    return [json.loads(line) for line in pinrail.run("emulate", "--dry-run", *args, **kwargs).stdout.splitlines()]


def with_t(row):
    """As the program sends dates."""
    return {k: v.replace(" ", "T") if k in ("timestamp", "date_joined") else v for k, v in row.items()}


def same_rows(posts, table, rows):
    """Equal rows in equal order, numbers by value and by type, columns in order."""
    got = [json.dumps(post[table]) for post in posts if table in post]
    want = [json.dumps(with_t(row)) for row in rows]
    assert len(got) == len(want)
    for one, other in zip(got, want):
        assert one == other


def demo_rows(count):
    """The generator's own rows."""
    posts = dry_run("--count", count)
    return [[post[table] for post in posts] for table in ("pin", "geo", "user")]


@pytest.mark.parametrize("by", ["url", "creds in upper case", "creds in lower case"])
def test_rows_come_back_as_they_were_loaded(server, tmp_path, by):
    pins, geos, users = demo_rows(5000)  # more than two pages of keys
    server.load(pins, geos, users)
    if by == "url":
        source = server.url
    else:
        source = server.creds_yaml(tmp_path / "db_creds.yaml", upper="upper" in by)
    posts = dry_run("--source", source)
    same_rows(posts, "pin", pins)
    same_rows(posts, "geo", geos)
    same_rows(posts, "user", users)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real rows are not beside this checkout")
def test_real_rows_come_back(server):
    tables = {name: [json.loads(line) for line in open(SAMPLES / f"{name}.jsonl", encoding="utf-8")] for name in ("pin", "geo", "user")}
    server.load(*tables.values())
    posts = dry_run("--source", server.url)
    assert len(posts) == len(tables["geo"])
    for name, rows in tables.items():
        same_rows(posts, name, rows)


def test_rows_are_merged_by_key_and_pages_end_between_keys(server):
    """Pins for some keys only, and users with gaps; keys repeat across the end of a page."""
    rng = random.Random(1)
    pins, geos, users = demo_rows(4200)
    pins = [row for row in pins if rng.random() < 0.3]
    users = [row for row in users if rng.random() < 0.5]
    geos = sorted(geos + [dict(row, country="again") for row in geos[1990:2010]], key=lambda row: row["ind"])
    server.load(pins, geos, users)
    posts = dry_run("--source", server.url)
    same_rows(posts, "pin", pins)
    same_rows(posts, "user", users)
    assert sorted(p["geo"]["ind"] for p in posts if "geo" in p) == sorted(row["ind"] for row in geos)
    for post in posts:
        assert len({row.get("ind", row.get("index")) for row in post.values()}) == 1


def test_the_course_order_draws_by_row_number(server):
    """LIMIT n, 1 of the script, checked against Python's own generator."""
    pins, geos, users = demo_rows(11001)
    server.load(pins, geos, users)
    random.seed(100)
    draws = [(random.randrange(0, 2), random.randint(0, 11000))[1] for _ in range(40)]
    assert draws[:3] == [7528, 2863, 5730]
    posts = dry_run("--source", server.url, "--order", "course", "--count", 40)
    assert [post["pin"]["index"] for post in posts] == draws
    same_rows(posts, "geo", [geos[n] for n in draws])


def test_values_that_the_tables_do_not_promise(server):
    """Nulls, the zero date, fractions of seconds, zero-filled numbers, other number types, quotes and emoji."""
    server.load([], [], [])
    server.sql(
        f"""USE {mariadb.DATABASE};
        SET sql_mode = '';
        ALTER TABLE pinterest_data MODIFY downloaded INT(6) ZEROFILL;
        ALTER TABLE geolocation_data MODIFY timestamp DATETIME(6), MODIFY longitude DECIMAL(9, 4);
        INSERT INTO pinterest_data (`index`, title, description, downloaded) VALUES (3, 'a "b" \\\\ \\n c', '👩‍🎨é', 7);
        INSERT INTO geolocation_data VALUES (3, '2018-01-02 03:04:05.250000', 20, 17.5, NULL), (4, '0000-00-00', -0.5, -1, 'x'),
            (5, '2018-01-02 03:04:05', 17.5632, 112.276, '');"""
    )
    posts = dry_run("--source", server.url)
    assert posts[0]["pin"]["title"] == 'a "b" \\ \n c' and posts[0]["pin"]["description"] == "👩‍🎨é"
    assert posts[0]["pin"]["downloaded"] == 7 and posts[0]["pin"]["unique_id"] is None
    assert [json.dumps(post["geo"]) for post in posts] == [
        '{"ind": 3, "timestamp": "2018-01-02T03:04:05.250000", "latitude": 20.0, "longitude": 17.5, "country": null}',
        '{"ind": 4, "timestamp": null, "latitude": -0.5, "longitude": -1.0, "country": "x"}',
        '{"ind": 5, "timestamp": "2018-01-02T03:04:05", "latitude": 17.5632, "longitude": 112.276, "country": ""}',
    ]


def test_a_wrong_password_is_said_and_not_shown(server):
    source = server.url.replace("rd%25", "hunter2")
    done = pinrail.run("emulate", "--dry-run", "--source", source, check=False)
    assert done.returncode == 77
    assert f"127.0.0.1:{server.port} as {mariadb.USER}" in done.stderr and "hunter2" not in done.stderr


def test_no_server_is_said(server):
    port = mariadb.free_port()
    done = pinrail.run("emulate", "--dry-run", "--source", f"mysql://a:hunter2@127.0.0.1:{port}/d", check=False)
    assert done.returncode == 69
    assert f"127.0.0.1:{port}" in done.stderr and "hunter2" not in done.stderr


def test_a_server_without_the_tables_is_said(server):
    server.sql(f"DROP TABLE {mariadb.DATABASE}.user_data")
    done = pinrail.run("emulate", "--dry-run", "--source", server.url, check=False)
    assert done.returncode == 65 and "user_data" in done.stderr
