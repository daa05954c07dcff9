"""PostgreSQL over its Unix socket, a prepared INSERT a transaction (pgbench), synchronous_commit and fsync on."""

import statistics
import struct

from peers import wire
from peers.server import EVENT, Peer, PeerFailed, connection, free_port

TABLE = """create table events(seq bigserial primary key, stream bigint, kind smallint, at timestamptz default now(), body bytea);
create table runs(instrument text, run bigint, state text, title text, primary key (instrument, run));
create index on runs(state);"""
INSERT = f"insert into events(stream, kind, body) values (1, 1, '\\x{EVENT.hex()}');\n"
# What `runledger status` shows, by state.
COUNTS = "select state, count(*) from runs where instrument = 'MARI' group by state;\n"
BY_KEY = "\\set run random(1, {runs})\nselect * from runs where instrument = 'MARI' and run = :run;\n"
NEWEST = "select * from runs where instrument = 'MARI' order by run desc limit 50;\n"


def message(kind, body):
    return kind + struct.pack(">i", len(body) + 4) + body


class PostgreSQL(Peer):
    name = "PostgreSQL"
    setting = "synchronous_commit=on, fsync=on, wal_sync_method=fdatasync"
    programs = ("initdb", "postgres", "pgbench", "psql")
    places = ("usr/lib/postgresql/*/bin",)
    account = "postgres"

    def launch(self):
        self.port = free_port()  # only names the socket
        data = self.folder / "data"
        self.tool(self.program("initdb"), "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale", "C")
        settings = {"listen_addresses": "", "unix_socket_directories": self.folder, "port": self.port, "max_connections": 100,
                    "shared_buffers": "2GB", "max_wal_size": "8GB", "synchronous_commit": "on", "fsync": "on", "wal_sync_method": "fdatasync"}
        self.serve(self.program("postgres"), "-D", data, *(f"--{key}={value}" for key, value in settings.items()))
        self.has_table = False

    def is_ready(self):
        if not self.has_table:
            self.sql(TABLE)
            self.has_table = True
        return True

    def sql(self, text):
        where = ["-h", self.folder, "-p", self.port, "-U", "bench", "-d", "postgres"]
        return self.tool(self.program("psql"), *where, "-qAt", "-v", "ON_ERROR_STOP=1", text=text)

    def pgbench(self, script, seconds, clients, *more):
        path = self.folder / "script.sql"
        path.write_text(script)
        where = ["-h", self.folder, "-p", self.port, "-U", "bench"]
        printed = self.tool(self.program("pgbench"), *where, "-n", "-M", "prepared", "-f", path, "-c", clients, "-j", min(2, clients),
                            "-T", max(1, round(seconds)), *more, "postgres")
        for line in printed.splitlines():
            if line.startswith("tps = "):
                return float(line.split()[2])
        raise PeerFailed(f"pgbench said no rate: {printed}")

    def append(self, clients, seconds, rows=1):
        script = INSERT if rows == 1 else "begin;\n" + INSERT * rows + "end;\n"
        return {"rate": self.pgbench(script, seconds, clients) * rows}

    def fill_runs(self, runs):
        self.sql(f"""truncate runs;
insert into runs select 'MARI', n, (array['succeeded', 'failed', 'queued', 'detected'])[1 + n % 4], 'title of run ' || n
from generate_series(1, {runs}) n;
vacuum analyze runs;""")

    def ask(self, script, seconds):
        """Milliseconds of each question, from pgbench's log of them."""
        for old in self.folder.glob("asked.*"):
            old.unlink()
        self.pgbench(script, seconds, 1, "-l", f"--log-prefix={self.folder}/asked")
        times = [int(line.split()[2]) for path in self.folder.glob("asked.*") for line in path.read_text().splitlines()]
        return {"p50_us": statistics.median(times), "p99_us": sorted(times)[int(0.99 * (len(times) - 1))]}

    def deliver(self, events, pause_us):
        """Insert and notify in one transaction, prepared; the subscriber gets the notification, not the event."""
        publisher, subscriber = self.greeted(), self.greeted()
        self.query(subscriber, "listen events")
        self.query(publisher, "prepare publish(bytea) as with kept as (insert into events(stream, kind, body) values (1, 1, $1) returning seq) "
                              "select pg_notify('events', seq::text) from kept")
        bind = message(b"B", b"\0publish\0" + struct.pack(">hhhi", 1, 1, 1, len(EVENT)) + EVENT + struct.pack(">h", 0))
        request = bind + message(b"E", b"\0" + struct.pack(">i", 0)) + message(b"S", b"")
        return wire.deliver(events, pause_us, (request, b"2", b"Z\0\0\0\5I"), publisher, subscriber)

    def greeted(self):
        made = connection(self.folder / f".s.PGSQL.{self.port}")
        made.sendall(message(b"", struct.pack(">i", 196608) + b"user\0bench\0database\0postgres\0\0"))
        self.until_ready(made)
        return made

    def query(self, made, text):
        made.sendall(message(b"Q", text.encode() + b"\0"))
        self.until_ready(made)

    @staticmethod
    def until_ready(made):
        got = b""
        while not got.endswith(b"Z\0\0\0\5I"):
            part = made.recv(4096)
            got += part
            if not part or got.startswith(b"E"):
                raise PeerFailed(f"PostgreSQL answered {got[:300]!r}")
