"""A stream goes on where its table is, after either process was started again. What could go wrong: the place to go on from is
refused by the door, so that nothing comes any more; or it is one record off. How: rows before and after a kill of each
process, every one of which must be in the table once."""

import json

from pinrail import http, wait_until


def put(serve, rows):
    records = [{"data": {"ind": ind, "timestamp": "2020-01-02T03:04:05", "latitude": 1.5, "longitude": -2.5, "country": "Albania"}, "partition-key": "k"} for ind in rows]

    def put_once():
        try:
            return http("PUT", f"{serve.url}/streams/streaming-demo-geo/records", json.dumps({"records": records}), {"Content-Type": "application/json"})
        except OSError:
            return None  # not back yet

    status, _, answer = wait_until(put_once)
    assert status == 200, answer


def test_a_stream_goes_on_after_a_restart(serve):
    def rows():
        done = serve.command("sql", "SELECT count(*) AS n, count(DISTINCT ind) AS d, max(_offset) AS o FROM demo_geo_stream", "--json", check=False)
        return tuple(json.loads(done.stdout).values()) if done.returncode == 0 else None

    put(serve, range(10))
    wait_until(lambda: rows() == (10, 10, 9))
    for role, first in (("lakehouse", 10), ("ingest", 20)):
        old = serve.pid(role)
        serve.kill(role)
        wait_until(lambda: serve.pid(role) != old)
        put(serve, range(first, first + 10))
        wait_until(lambda: rows() == (first + 10, first + 10, first + 9))
