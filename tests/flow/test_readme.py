"""What the README says, runs. What could go wrong: a command or an option that the text promises is not there, or does
something else. How: every indented command under "Five minutes" is run as it stands, in order, against a pipeline of this
test; only the well-known ports are replaced by its own."""

import os
import re
import subprocess

from pinrail import PROGRAM, ROOT, wait_until


def commands():
    text = (ROOT / "README.md").read_text().split("## Five minutes")[1].split("\n## ")[0]
    lines = re.findall(r"^    (.*)$", text, re.M)
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [line for line in joined.splitlines() if line.strip()]


def test_the_five_minutes(serve):
    found = commands()
    assert found[0] == "build/pinrail serve" and len(found) >= 10
    environment = {**os.environ, "PINRAIL_DATA_DIR": str(serve.folder), "NO_COLOR": "1"}
    for command in found[1:]:
        if "audit" in command or " batch" in command:
            # A reader has taken a minute to get here; the objects have landed.
            wait_until(lambda: all(p["landed"] in (None, p["acknowledged"]) for p in serve.json("audit", check=False)[0]["partitions"]))
        shown = command.replace("build/pinrail", str(PROGRAM)).replace("127.0.0.1:8082", serve.address("http"))
        done = subprocess.run(["bash", "-c", shown], env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if "curl" in command:
            assert '"offset":' in done.stdout, done.stdout
        if "audit" in command:
            assert "the counts agree" in done.stdout
        if "insight" in command or "sql" in command:
            assert len(done.stdout.splitlines()) > 5, done.stdout


def test_every_command_has_help_with_its_options():
    shown = subprocess.run([str(PROGRAM), "--help"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"^  (\w+)  ", shown, re.M)
    assert {"demo", "serve", "emulate", "topic", "stream", "tail", "batch", "sql", "insight", "audit", "table", "quarantine", "check"} <= set(names)
    for name in names:
        text = subprocess.run([str(PROGRAM), name, "--help"], capture_output=True, text=True, check=True).stdout
        assert "Usage: pinrail " + name in text and "Examples:" in text and "--data-dir" in text
        wrong = subprocess.run([str(PROGRAM), name, "--no-such-option"], capture_output=True, text=True)
        assert wrong.returncode == 64 and "--no-such-option" in wrong.stderr


def test_exit_statuses_say_what_is_wrong(tmp_path):
    def status(*args):
        return subprocess.run([str(PROGRAM), *args], capture_output=True, text=True, cwd=tmp_path, timeout=60)

    assert status("no-such-command").returncode == 64
    assert status("serve", "--http", "nowhere").returncode == 78
    (tmp_path / "pinrail.yaml").write_text("lake.flush.size: many\n")
    done = status("check")
    assert done.returncode == 78 and "pinrail.yaml:1" in done.stderr
    (tmp_path / "pinrail.yaml").write_text("http: 0.0.0.0:0\n")
    done = status("serve")
    assert done.returncode in (77, 78) and "loopback" in done.stderr
    (tmp_path / "pinrail.yaml").unlink()
    done = status("audit", "--data-dir", str(tmp_path / "none"), "--kafka", "127.0.0.1:1")
    assert done.returncode == 69, done.stderr
