"""Drives the built program for the flow tests: starts it in a folder of its own on free ports, waits until it is
ready, and stops it again. Nothing here knows what pinrail does inside."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", "build"))
PROGRAM = (BUILD if BUILD.is_absolute() else ROOT / BUILD) / "pinrail"
SAMPLES = ROOT.parent / "shared" / "data" / "samples"
READY_SECONDS = 60
# What no test expects of a process: a sanitizer's report, or an end that was neither a stop nor a test's kill -9.
BAD_ENDS = re.compile(r"ERROR: AddressSanitizer|LeakSanitizer|runtime error:|ended with status|ended by signal (?!9 )")


def assert_ended_well(output, who):
    """Nothing of BAD_ENDS in what a process said; the program without sanitizers is held to its half of it."""
    found = BAD_ENDS.search(output)
    assert not found, f"{who} went wrong:\n{output[max(0, found.start() - 500):found.start() + 6000]}"


def run(*args, check=True, timeout=300, **kwargs):
    """Run one command of the program; gives the CompletedProcess with text output."""
    done = subprocess.run([str(PROGRAM), *map(str, args)], capture_output=True, text=True, timeout=timeout, **kwargs)
    assert_ended_well(done.stderr, f"pinrail {' '.join(map(str, args))}")
    if check and done.returncode != 0:
        raise AssertionError(f"pinrail {' '.join(map(str, args))} gave {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def http(method, url, body=None, headers=None, timeout=30):
    """One request; gives (status, headers, body bytes) and raises only when there is no answer."""
    data = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def wait_until(what, seconds=60, every=0.05):
    """Wait until what() is true; gives its value. The limit only ends a hang: it is no expectation of speed."""
    give_up = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < give_up, f"still not so after {seconds} s: {what}"
        time.sleep(every)


class Serve:
    """A running `pinrail serve [role]`. `settings` are flags without their dashes: {"num-partitions": 3}."""

    def __init__(self, folder, role=None, settings=None):
        self.folder = pathlib.Path(folder)
        self.role = role
        self.settings = {"http": "127.0.0.1:0", "kafka": "127.0.0.1:0", "page": "127.0.0.1:0", "batch-schedule": ""}
        self.settings.update(settings or {})
        self.process = None

    def flags(self):
        """The flags that make another command speak to this one."""
        return ["--data-dir", str(self.folder)]

    def start(self):
        command = [str(PROGRAM), "serve", *([self.role] if self.role else []), *self.flags()]
        for name, value in self.settings.items():
            command.append(f"--{name}={value}")
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("http", "kafka", "page"):
            (self.folder / "run" / f"{name}.port").unlink(missing_ok=True)
        self.log = open(self.folder / "serve.out", "ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, cwd=self.folder)
        self.wait_ready()
        return self

    def wait_ready(self):
        doors = {"ingest": ["http"], "lakehouse": ["page"]}.get(self.role, ["http", "page"])

        def ready():
            assert self.process.poll() is None, f"serve ended with {self.process.returncode}:\n{self.output()}"
            for door in doors:
                try:
                    if http("GET", f"http://{self.address(door)}/readyz", timeout=5)[0] != 200:
                        return False
                except (OSError, FileNotFoundError, ValueError):
                    return False
            return True

        wait_until(ready, READY_SECONDS, 0.01)

    def address(self, door):
        return f"127.0.0.1:{int((self.folder / 'run' / f'{door}.port').read_text())}"

    @property
    def url(self):
        return f"http://{self.address('http')}"

    @property
    def page(self):
        return f"http://{self.address('page')}"

    @property
    def kafka(self):
        return self.address("kafka")

    def pid(self, role):
        return int((self.folder / "run" / f"{role}.pid").read_text())

    def kill(self, role):
        """kill -9 of one process; the supervisor starts it again."""
        os.kill(self.pid(role), signal.SIGKILL)

    def output(self):
        return (self.folder / "serve.out").read_text(errors="replace")

    def command(self, *args, **kwargs):
        """Run another command against this data folder."""
        return run(args[0], *self.flags(), *args[1:], **kwargs)

    def json(self, *args, **kwargs):
        """The same with --json; gives the list of objects it printed."""
        return [json.loads(line) for line in self.command(*args, "--json", **kwargs).stdout.splitlines()]

    def stop(self):
        """Stop it, and look how it and its processes ended, now or earlier."""
        if not self.process:
            return
        running = self.process.poll() is None
        if running:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        status = self.process.returncode
        self.log.close()
        self.process = None
        assert_ended_well(self.output(), "serve")
        assert not running or status == 0, f"serve stopped with status {status}:\n{self.output()[-4000:]}"

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()
