"""A real MariaDB server in a folder of its own, with the course's three tables.

    with mariadb.running(tmp_path / "mariadb") as server:
        server.load(pins, geos, users)      # rows as dicts; columns in the order of the first row
        pinrail.run("emulate", "--source", server.url, ...)
"""

import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import time
import urllib.parse

DATABASE = "pinterest_data"
USER = "pipeline"
PASSWORD = "p@ss:w/rd% 'ü"  # every character that an address could be cut at
START_SECONDS = 60

# The types of the course's database. No primary key but on the users, as both occur.
TABLES = {
    "pinterest_data": """`index` INT, unique_id TEXT, title TEXT, description TEXT, poster_name TEXT, follower_count TEXT,
        tag_list TEXT, is_image_or_video TEXT, image_src TEXT, downloaded INT, save_location TEXT, category TEXT""",
    "geolocation_data": "ind INT, timestamp DATETIME, latitude FLOAT, longitude FLOAT, country TEXT",
    "user_data": "ind INT PRIMARY KEY, first_name TEXT, last_name TEXT, age INT, date_joined DATETIME",
}


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, (int, float)):
        return repr(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.socket = self.folder / "s"
        self.port = free_port()
        self.process = None

    @property
    def url(self):
        password = urllib.parse.quote(PASSWORD, safe="")
        return f"mysql+pymysql://{USER}:{password}@127.0.0.1:{self.port}/{DATABASE}?charset=utf8mb4"

    def creds_yaml(self, path, upper=True):
        """Write a db_creds.yaml as the course's students have it."""
        keys = {"host": "127.0.0.1", "user": USER, "password": PASSWORD, "database": DATABASE, "port": self.port}
        lines = []
        for key, value in keys.items():
            text = '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"' if key == "password" else value
            lines.append(f"{key.upper() if upper else key}: {text}\n")
        path.write_text("".join(lines), encoding="utf-8")
        return path

    def sql(self, text):
        """Run statements as the server's own administrator; gives what they print."""
        done = subprocess.run(
            ["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root", "--default-character-set=utf8mb4", "--batch"],
            input=text.encode(),
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def load(self, pins, geos, users):
        """Make the three tables anew, with these rows."""
        for name, rows in zip(TABLES, (pins, geos, users)):
            self.sql(
                f"DROP TABLE IF EXISTS {DATABASE}.{name};"
                f"CREATE TABLE {DATABASE}.{name} ({TABLES[name]}) CHARACTER SET utf8mb4"
            )
            columns = ", ".join(f"`{column}`" for column in rows[0]) if rows else ""
            for start in range(0, len(rows), 500):
                values = ",".join("(" + ",".join(map(literal, row.values())) + ")" for row in rows[start : start + 500])
                self.sql(f"INSERT INTO {DATABASE}.{name} ({columns}) VALUES {values}")

    def start(self):
        """Start it over what the folder holds."""
        # As root it wants to be told so; as anybody else it must not be told.
        user = [f"--user={pwd.getpwuid(0).pw_name}"] if os.getuid() == 0 else []
        data = self.folder / "data"
        if not data.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(
                ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db", *user,
                 "--auth-root-authentication-method=normal",
                 "--force"],  # a machine whose own name cannot be looked up will do
                check=True,
                capture_output=True,
            )
        program = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
        with open(self.folder / "out", "ab") as out:
            self.process = subprocess.Popen(
                [program, "--no-defaults", f"--datadir={data}", f"--socket={self.socket}", f"--port={self.port}",
                 "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0",
                 f"--pid-file={self.folder}/pid", *user],
                stdout=out,
                stderr=out,
            )
        give_up = time.monotonic() + START_SECONDS
        while True:
            assert self.process.poll() is None, (self.folder / "out").read_text()
            with contextlib.suppress(AssertionError):
                self.sql("SELECT 1")
                break
            assert time.monotonic() < give_up, (self.folder / "out").read_text()
            time.sleep(0.05)
        self.sql(
            f"CREATE DATABASE IF NOT EXISTS {DATABASE} CHARACTER SET utf8mb4;"
            f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY {literal(PASSWORD)};"
            f"GRANT SELECT ON {DATABASE}.* TO '{USER}'@'%'"
        )
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(60)
            self.process = None


@contextlib.contextmanager
def running(folder):
    server = Server(folder)
    try:
        yield server.start()
    finally:
        server.stop()
