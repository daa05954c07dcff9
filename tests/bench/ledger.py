"""How fast the ledger is, as ratios against loops of its own parts (and SQLite, which Python brings), taken in turn on one machine.

    RUNLEDGER_BIN=build/release/bin /usr/bin/python3 tests/bench/ledger.py [--rounds 5] [--seconds 3] [--events 1000000] [--only TEXT]

Every ratio is the median of rounds in which both sides ran one after the other. "goal" is what is aimed at; nothing here passes or fails.
L1 and L64 are RocksDB as it comes, one thread, with 1 and 64 events of 400 bytes in a synced batch.
"""

import argparse
import json
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time

BIN = pathlib.Path(os.environ["RUNLEDGER_BIN"])


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="runledger-bench.", dir=options.folder))
        self.made = 0

    def new_folder(self):
        self.made += 1
        return self.folder / str(self.made)

    def take(self, what, amount, *numbers, folder=None):
        where = folder or self.new_folder()
        where.parent.mkdir(parents=True, exist_ok=True)
        command = [BIN / "bench_ledger", what, where, amount, *numbers]
        printed = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if printed.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{printed.stderr}")
        return json.loads(printed.stdout)

    def compare(self, name, ours, theirs, goal, key="rate"):
        """`ours` and `theirs` answer one measurement each; alternating, so that what else the machine does hits both."""
        if self.options.only not in name:
            return
        pairs = []
        for _ in range(self.options.rounds):
            pairs.append((ours()[key], theirs()[key]))
        ratio = statistics.median(a / b for a, b in pairs)
        a, b = (statistics.median(side) for side in zip(*pairs))
        print(f"{name:66} {a:12.1f} {b:12.1f} {ratio:7.2f}  {goal}", flush=True)


def sqlite(folder, seconds):
    """One committed INSERT of 400 bytes after the other, WAL, synchronous=FULL; Python's share of each is about 5 microseconds."""
    folder.mkdir(parents=True)
    database = sqlite3.connect(folder / "events.db", isolation_level=None)
    database.execute("pragma journal_mode=wal")
    database.execute("pragma synchronous=full")
    database.execute("create table events(seq integer primary key, body blob)")
    body, count, began = b"e" * 400, 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        database.execute("insert into events(body) values (?)", (body,))
        count += 1
    rate = count / (time.perf_counter() - began)
    database.close()
    return {"rate": rate}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--events", type=int, default=1_000_000, help="size of the large ledger; the small one has a hundredth")
    parser.add_argument("--only", default="", help="only measurements whose name holds this")
    parser.add_argument("--folder", help="where ledgers are made; default: the temporary folder")
    options = parser.parse_args()
    bench = Bench(options)
    s = options.seconds
    print(f"{'what (events/s where not said)':66} {'ours':>12} {'against':>12} {'ratio':>7}  goal")
    try:
        compare, take = bench.compare, bench.take
        compare("1 client in process / L1", lambda: take("threads", s, 1), lambda: take("raw", s, 1), ">= 1.2")
        compare("1 client in process / SQLite WAL FULL", lambda: take("threads", s, 1), lambda: sqlite(bench.new_folder(), s), ">= 1.0")
        compare("1 client over the socket / 1 client in process", lambda: take("socket", s, 1), lambda: take("threads", s, 1), ">= 0.8")
        compare("64 threads in process / RocksDB's own 64 threads", lambda: take("threads", s, 64), lambda: take("raw-threads", s, 64), ">= 2.2")
        compare("64 clients over the socket / the same with empty calls", lambda: take("socket", s, 64), lambda: take("socket-empty", s, 64), ">= 0.7")
        compare("512 commands a call in process / raw batches of 512", lambda: take("bulk", s, 512), lambda: take("raw", s, 512), ">= 0.7")
        compare("8 clients with 64 commands a call over the socket / L64", lambda: take("socket-bulk", s, 64), lambda: take("raw", s, 64), "")
        compare("64 threads, all views / without views", lambda: take("threads", s, 64), lambda: take("threads-bare", s, 64), ">= 0.85")
        compare("512 a call, all views / without views", lambda: take("bulk", s, 512), lambda: take("bulk-bare", s, 512), ">= 0.85")
        compare("ack p99.9 at 64 threads, us / RocksDB's own", lambda: take("threads", s, 64), lambda: take("raw-threads", s, 64), "<= 0.5", key="p999_us")

        small, large = bench.folder / "small", bench.folder / "large"
        if any(options.only in name for name in ("open", "by key", "newest", "counts", "scan", "rebuild")):
            for folder, events in ((small, options.events // 100), (large, options.events)):
                filled = take("fill", events, folder=folder)
                print(f"{f'filled with {events} events':66} {filled['rate']:12.1f} {'':12} {'':7}  peak {filled['peak_kib'] / 1024:.0f} MiB", flush=True)
        for what, goal in (("by-key", "<= 1.2"), ("newest", "<= 1.2"), ("counts", "<= 1.2")):
            compare(f"{what.replace('-', ' ')}, p50 us: large / small", lambda: take(what, 1, folder=large), lambda: take(what, 1, folder=small), goal, key="p50_us")
        compare("open, s: large / small", lambda: take("open", 0, folder=large), lambda: take("open", 0, folder=small), "<= 3", key="seconds")
        compare("rebuild of all views / scan and decode of the log", lambda: take("rebuild", 0, folder=large), lambda: take("scan", 0, folder=large), "")
    finally:
        shutil.rmtree(bench.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
