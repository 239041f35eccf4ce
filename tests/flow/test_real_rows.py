"""Real rows of this pipeline, out of a real MariaDB server, by both ways, to the answers. What could go wrong: anything
between the source's types and the answers' ties. How: the same rows go through an independent computation in plain
Python (oracle.py, written from the facts and not from our SQL), and every cell of the answers must be equal."""

import json

import pytest

import mariadb
import oracle
from pinrail import SAMPLES, Serve, wait_until

if not SAMPLES.is_dir():
    pytest.skip("the real rows are not beside this checkout", allow_module_level=True)


def load(name):
    with open(SAMPLES / f"{name}.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def by_cells(rows):
    return [tuple((name, row[name]) for name in row) for row in rows]


def test_real_rows_by_both_ways(tmp_path):
    pins, geos, users = load("pin"), load("geo"), load("user")
    with mariadb.running(tmp_path / "mariadb") as server, Serve(
        tmp_path / "data", settings={"lake-rotate-schedule-interval-ms": 300, "stream-trigger-ms": 200}
    ) as serve:
        server.load(pins, geos, users)
        for mode in ("batch", "streaming"):
            sent = serve.json("emulate", "--source", server.url, "--mode", mode, "--batch", "100", "--url", serve.url)[0]
            assert (sent["pins"], sent["geos"], sent["users"]) == (len(pins), len(geos), len(users))

        def landed():
            counts = json.loads(serve.command("audit", "--json", check=False).stdout)["partitions"]
            return all(c["landed"] in (None, c["acknowledged"]) for c in counts)

        wait_until(landed, 120, 0.3)
        serve.command("batch")
        audit = json.loads(serve.command("audit", "--wait", "60", "--json").stdout)
        assert audit["agree"]
        assert sum(c["quarantined"] for c in audit["partitions"]) == 0
        assert {c["topic"]: c["acknowledged"] for c in audit["partitions"]} == {
            **{f"demo.{n}": len(r) for n, r in (("pin", pins), ("geo", geos), ("user", users))},
            **{f"streaming-demo-{n}": len(r) for n, r in (("pin", pins), ("geo", geos), ("user", users))},
        }
        expected = oracle.answers(pins, geos, users)
        assert len(expected) == 9
        for name, rows in expected.items():
            assert rows, f"the oracle has no rows for {name}: the comparison would prove nothing"
            assert by_cells(serve.json("insight", name)) == by_cells(rows), name
            assert by_cells(serve.json("insight", name, "--stream")) == by_cells(rows), f"{name} from the stream"
