"""Nothing leaves the machine by itself. What could go wrong: DuckDB fetches an extension, a library looks for news, the
page asks a far address. How: the whole demo runs in a network namespace that has a loopback device and no route; it must
succeed, and strace-free evidence comes from the kernel: the namespace's counters show no packet outside loopback."""

import os
import subprocess

from pinrail import PROGRAM

SCRIPT = """
set -e
ip link set lo up
"$0" demo --posts 300 --quiet >"$1/out" 2>"$1/err" || { cat "$1/out" "$1/err"; exit 1; }
ip route get 192.0.2.1 >/dev/null 2>&1 && { echo 'there is a route after all'; exit 2; }
cat /proc/net/dev >"$1/dev"
cat /proc/net/snmp >"$1/snmp"
"""


def test_the_demo_runs_where_there_is_no_way_out(tmp_path):
    flags = ["--net"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--net"]
    done = subprocess.run(["unshare", *flags, "sh", "-c", SCRIPT, str(PROGRAM), str(tmp_path)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the counts agree" in (tmp_path / "out").read_text()
    devices = [line.split(":")[0].strip() for line in (tmp_path / "dev").read_text().splitlines()[2:]]
    assert devices == ["lo"]
    names, values = [line.split()[1:] for line in (tmp_path / "snmp").read_text().splitlines() if line.startswith("Ip:")]
    ip = dict(zip(names, map(int, values)))
    assert ip["OutNoRoutes"] == 0, "something tried an address beyond this machine"
    assert ip["OutRequests"] > 0
