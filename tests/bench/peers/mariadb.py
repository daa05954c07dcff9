"""MariaDB's InnoDB over its Unix socket, one INSERT a transaction (mariadb-slap), flushed and synced at each commit."""

import re

from peers.server import EVENT, Peer, PeerFailed


class MariaDB(Peer):
    name = "MariaDB"
    setting = "innodb_flush_log_at_trx_commit=1, no binary log"
    programs = ("mariadbd", "mariadb-install-db", "mariadb-slap", "mariadb")
    places = ("usr/sbin",)
    account = "mysql"

    def launch(self):
        data = self.folder / "data"
        self.tool(self.program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
                  "--skip-test-db")
        self.socket = self.folder / "socket"
        self.serve(self.program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--socket={self.socket}", "--skip-networking",
                   f"--pid-file={self.folder}/pid", "--innodb-flush-log-at-trx-commit=1", "--innodb-log-file-size=512M", "--skip-log-bin",
                   "--innodb-buffer-pool-size=1G", "--max-connections=200")
        self.calls_a_second = None

    def sql(self, text):
        return self.tool(self.program("mariadb"), "--no-defaults", f"--socket={self.socket}", "-uroot", "-N", text=text)

    def is_ready(self):
        self.sql("create database if not exists bench; create table if not exists bench.events(seq bigint auto_increment primary key, "
                 "stream bigint, kind smallint, at timestamp default now(), body blob) engine=innodb;")
        return True

    def slap(self, clients, calls):
        """Seconds that so many inserts took."""
        printed = self.tool(self.program("mariadb-slap"), "--no-defaults", f"--socket={self.socket}", "-uroot", "--create-schema=bench", "--no-drop",
                            f"--query=insert into events(stream, kind, body) values (1, 1, unhex('{EVENT.hex()}'))",
                            f"--concurrency={clients}", f"--number-of-queries={calls}", "--iterations=1")
        found = re.search(r"Average number of seconds to run all queries: ([0-9.]+)", printed)
        if not found:
            raise PeerFailed(f"mariadb-slap said no time: {printed}")
        return float(found.group(1))

    def append(self, clients, seconds):
        """mariadb-slap takes a number of calls, not a time: a first round finds the number."""
        before = int(self.sql("select count(*) from bench.events"))
        first = 50 * clients
        calls = max(first, int(first / max(self.slap(clients, first), 0.001) * seconds) // clients * clients)
        took = self.slap(clients, calls)
        added = int(self.sql("select count(*) from bench.events")) - before
        if added != first + calls:
            raise PeerFailed(f"mariadb-slap was to insert {first + calls} rows and inserted {added}")
        return {"rate": calls / took}
