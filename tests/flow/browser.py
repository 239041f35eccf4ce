"""A headless Chromium that may speak to this machine only, and what it did: the page's elements, a picture, its requests."""

import html.parser
import json
import shutil
import struct
import subprocess
import tempfile
import zlib

PROGRAM = shutil.which("chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-proxy-server",
    "--force-color-profile=srgb", "--enable-logging=stderr", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]


def _run(url, folder, *flags, seconds):
    """Open `url` and let `seconds` of the page's own time go by."""
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as profile:
        command = [PROGRAM, *FLAGS, *flags, f"--user-data-dir={profile}", f"--virtual-time-budget={1000 * seconds}", url]
        done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return done.stdout.decode(), done.stderr.decode(errors="replace")


class Element:
    def __init__(self, name, attributes):
        self.name, self.attributes, self.children, self.words = name, dict(attributes), [], []

    def all(self, name):
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.all(name)

    def by_id(self, wanted):
        return next(e for e in self.everything() if e.attributes.get("id") == wanted)

    def everything(self):
        yield self
        for child in self.children:
            yield from child.everything()

    @property
    def text(self):
        return "".join(part if isinstance(part, str) else part.text for part in self.words).strip()

    def rows(self):
        """The body of the table inside, as texts."""
        return [[cell.text for cell in row.children] for body in self.all("tbody") for row in body.all("tr")]


class _Tree(html.parser.HTMLParser):
    EMPTY = {"meta", "link", "img", "br", "input"}

    def __init__(self):
        super().__init__()
        self.open = [Element("", [])]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, attrs)
        self.open[-1].children.append(element)
        self.open[-1].words.append(element)
        if tag not in self.EMPTY:
            self.open.append(element)

    def handle_endtag(self, tag):
        if tag not in self.EMPTY and any(e.name == tag for e in self.open):
            while self.open.pop().name != tag:
                pass

    def handle_data(self, data):
        self.open[-1].words.append(data)


def look(url, folder, seconds=5):
    """The page after its scripts ran: (its root element, what its console said, URLs it asked for)."""
    log = f"{folder}/net.json"
    dom, errors = _run(url, folder, "--dump-dom", "--window-size=1280,2400", f"--log-net-log={log}", seconds=seconds)
    tree = _Tree()
    tree.feed(dom)
    with open(log, encoding="utf-8") as text:
        net = json.load(text)
    # Chromium has wishes of its own, which the rule for host names leaves unanswered; here count those of the page.
    events = [event["params"] for event in net["events"] if "url" in event.get("params", {})]
    asked = [params["url"] for params in events if params.get("initiator") == url.rstrip("/")]
    console = [line for line in errors.splitlines() if "CONSOLE" in line]
    return tree.open[0], console, asked


def colours(url, folder, seconds=5):
    """How many dots of each colour (red, green, blue) a picture of the page has."""
    path = f"{folder}/page.png"
    _run(url, folder, f"--screenshot={path}", "--window-size=1000,1100", "--blink-settings=preferredColorScheme=1", seconds=seconds)
    return count_colours(path)


def count_colours(path):
    """Reads a PNG of 8 bits a channel, not interlaced: what Chromium writes."""
    with open(path, "rb") as file:
        data = file.read()
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[at + 8 : at + 8 + size])
            assert depth == 8 and colour in (2, 6) and interlaced == 0
        elif kind == b"IDAT":
            packed += data[at + 8 : at + 8 + size]
        at += size + 12
    step = 4 if colour == 6 else 3
    flat, before, counts = zlib.decompress(packed), bytes(width * step), {}
    for line in range(height):
        start = line * (width * step + 1)
        row, kind = bytearray(flat[start + 1 : start + 1 + width * step]), flat[start]
        for i in range(len(row)) if kind else ():
            left, up = row[i - step] if i >= step else 0, before[i]
            corner = before[i - step] if i >= step else 0
            if kind == 1:
                add = left
            elif kind == 2:
                add = up
            elif kind == 3:
                add = (left + up) // 2
            else:
                near = left + up - corner
                add = min((abs(near - left), 0, left), (abs(near - up), 1, up), (abs(near - corner), 2, corner))[2]
            row[i] = (row[i] + add) & 255
        for i in range(0, len(row), step):
            dot = bytes(row[i : i + 3])
            counts[dot] = counts.get(dot, 0) + 1
        before = row
    return {tuple(dot): n for dot, n in counts.items()}
