"""How fast the ledger is, as ratios against the limits of the machine and against what one would run instead, in one session.

    RUNLEDGER_BIN=build/release/bin /usr/bin/python3 tests/bench/ledger.py [--quick] [--rounds 5] [--events 1000000] [--only TEXT] [--json]

What is measured and how: README.md. A peer that is not installed is said to be absent. "goal" is what is aimed at; nothing here passes or fails.
"""

import argparse
import functools
import shutil
import signal
import sys

import peers
from peers import postgresql
from session import NO_GOAL, Session, at_least, at_most

AHEAD = at_least(1.0)


def one_client(session, s):
    def in_process():
        return session.warm("threads", s, 1)

    session.compare("1 client in process", in_process, [
        ("L1: RocksDB, 1 event a synced batch", lambda: session.take("raw", s, 1), at_least(1.2)),
        ("SQLite WAL FULL", lambda: session.take("", s, program="sqlite_loop"), at_least(1.0))])
    goals = {kind: AHEAD for kind in peers.ALL} | {peers.MariaDB: NO_GOAL}
    session.compare("1 client over the socket", lambda: session.warm("socket", s, 1), [
        ("1 client in process", in_process, at_least(0.8)),
        *((kind.name, session.of(kind, lambda peer: peer.append(1, s)), goal) for kind, goal in goals.items())])


def many_clients(session, s):
    goals = {kind: NO_GOAL for kind in peers.ALL} | {
        peers.PostgreSQL: at_least(1.3), peers.MariaDB: at_least(1.3), peers.Etcd: at_least(1.8), peers.RabbitMQQuorum: at_least(1.8),
        peers.ActiveMQ: at_least(8)}
    session.compare("64 clients over the socket", lambda: session.warm("socket", s, 64), [
        ("empty calls, same commits behind them", lambda: session.take("socket-limit", s, 64), at_least(0.7)),
        *((kind.name, session.of(kind, lambda peer: peer.append(64, s)), goal) for kind, goal in goals.items())])
    session.compare("8 clients, 64 events a call, over the socket", lambda: session.warm("socket-bulk", s, 64), [
        ("RocksDB, batches of 512", lambda: session.take("raw", s, 512), at_least(0.7)),
        ("L64: RocksDB, batches of 64", lambda: session.take("raw", s, 64), NO_GOAL),
        ("PostgreSQL, 64 rows a transaction", session.of(peers.PostgreSQL, lambda peer: peer.append(8, s, rows=64)), at_least(1.8))])
    session.compare("512 events a call in process", lambda: session.warm("bulk", s, 512), [
        ("RocksDB, batches of 512", lambda: session.take("raw", s, 512), at_least(0.7))])
    session.compare("64 threads in process", lambda: session.warm("threads", s, 64), [
        ("RocksDB, its own 64 threads", lambda: session.take("raw-threads", s, 64), at_least(2.2)),
        ("L64: RocksDB, batches of 64", lambda: session.take("raw", s, 64), NO_GOAL)])


def parts(session, s):
    """Commands become their events unasked here, so that both sides decide alike."""
    all_parts = ("views and tree", "threads-copying", 0.6), ("views alone", "threads-views", 0.85), ("tree alone", "threads-tree", 0.85)
    for name, what, goal in all_parts:
        session.compare(f"64 threads, {name}", lambda: session.warm(what, s, 64), [
            ("neither", lambda: session.warm("threads-bare", s, 64), at_least(goal))])


def tail(session, seconds):
    tables = []

    def noted(side):
        def measured():
            found = side()
            tables.append(found)
            return found
        return measured

    session.compare("answer to one of 64 threads", noted(lambda: session.warm("threads", seconds, 64)), [
        ("RocksDB, its own 64 threads", noted(lambda: session.take("raw-threads", seconds, 64)), at_most(0.5))], key="p999_us")
    for whose, found in zip(("ours", "RocksDB"), tables[-2:]):
        session.note(f"{whose} meanwhile: {found['tables_made']:.0f} table files flushed or compacted, "
                     f"{found['tables_dropped']:.0f} dropped after a compaction")


def syncs(session, s):
    counted = {}

    def count():
        counted.update(session.take("", s, 64, program="count_syncs"))
        return dict(counted)

    session.compare("syncs of the log, 64 threads", count, [
        ("groups answered", lambda: {"syncs": counted["groups"]}, ("= 1", lambda ratio: 1 <= ratio < 1.02))], key="syncs")


def deliver(session, events):
    pause_us = 2000
    limit = "limit: synced put, then a socketpair"

    def raw():
        return session.take("raw-deliver", events)

    session.compare("append in process -> subscriber", lambda: session.warm("deliver-in-process", events, 1), [
        (limit, raw, at_most(1.15))], key="p50_us")
    session.compare("append over the socket -> subscriber", lambda: session.warm("deliver", events, 1), [
        (limit, raw, NO_GOAL),
        ("PostgreSQL NOTIFY", session.of(peers.PostgreSQL, lambda peer: peer.deliver(events, pause_us)), at_most(1.0)),
        ("Redis XREAD BLOCK", session.of(peers.Redis, lambda peer: peer.deliver(events, pause_us)), at_most(1.0))], key="p50_us")


def sizes(session, s, events):
    """A small, a medium and a large ledger: what grows with the log, and what must not."""
    small, medium, large = min(10_000, events // 10), min(100_000, events // 2), events

    @functools.cache
    def filled(size):
        return session.take("fill", size, folder=session.folder / f"of-{size}")

    def folder(size):
        filled(size)
        return session.folder / f"of-{size}"

    session.compare(f"append rate, last tenth of {large:,} events", lambda: {"rate": filled(large)["last_rate"]}, [
        ("first tenth", lambda: {"rate": filled(large)["first_rate"]}, at_least(0.85))], rounds=1)
    session.compare(f"resident memory after {large:,} events", lambda: filled(large), [
        (f"after {medium:,}", lambda: filled(medium), at_most(1.1))], key="resident_kib", rounds=1)

    of_small, of_large = f"of {small:,} events", f"of {large:,} events"
    for name, what, goal in (
            ("one run by key, in process,", "by-key", NO_GOAL), ("newest 50 runs, in process,", "newest", NO_GOAL), ("counts by state, in process,", "counts", NO_GOAL),
            ("one run by key over the socket", "socket-by-key", at_most(1.2)), ("newest 50 runs over the socket", "socket-newest", at_most(1.2)),
            ("status with counts over the socket", "status", at_most(1.2))):
        session.compare(f"{name} {of_large}", lambda: session.take(what, s, folder=folder(large)), [
            (of_small, lambda: session.take(what, s, folder=folder(small)), goal)], key=("p50_us", "p99_us"))

    def counted_by_postgresql(peer):
        if getattr(peer, "runs", 0) != large:
            peer.fill_runs(large)
            peer.runs = large
        return peer.ask(postgresql.COUNTS, max(s, 3))

    session.compare(f"status over the socket {of_large}", lambda: session.take("status", s, folder=folder(large)), [
        (f"PostgreSQL, counts of {large:,} rows", session.of(peers.PostgreSQL, counted_by_postgresql), at_most(0.001))], key="p50_us")

    def raw_scan():
        return session.take("raw-scan", 0, folder=folder(large))

    session.compare(f"scan and decode {of_large}", lambda: session.take("scan", 0, folder=folder(large)), [
        ("RocksDB, bare scan", raw_scan, at_least(0.5))])
    session.compare(f"rebuild of all views {of_large}", lambda: session.take("rebuild", 0, folder=folder(large)), [
        ("RocksDB, bare scan", raw_scan, at_least(0.4))])
    openings(session, lambda: folder(large), lambda: folder(small), of_large, of_small, small)


def openings(session, large, small, of_large, of_small, tail):
    """Each after so many events more, which the write-ahead log alone holds. The small ledger stays small: copies of it are opened."""
    def after_stop(folder):
        session.take("grow", tail, folder=folder)
        return session.take("open", 0, folder=folder)

    def after_kill(folder):
        session.killed("killed", folder, tail)
        return session.take("open", 0, folder=folder)

    def copied():
        folder = session.new_folder()
        shutil.copytree(small(), folder)
        return folder

    def raw_after_kill():
        folder = session.new_folder()
        session.killed("raw-killed", folder, tail)
        return session.take("raw-open", 0, folder=folder)

    session.compare(f"open after a stop {of_large}", lambda: after_stop(large()), [
        (of_small, lambda: after_stop(copied()), at_most(3))], key="seconds")
    session.compare(f"open after kill -9 {of_large}", lambda: after_kill(large()), [
        (of_small, lambda: after_kill(copied()), NO_GOAL), (f"RocksDB, same tail of {tail:,}", raw_after_kill, NO_GOAL)], key="seconds")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="everything once and small, to see that it works; the figures mean nothing")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of one measurement")
    parser.add_argument("--tail-seconds", type=float, default=20, help="of one measurement of the slowest answers; flushes and compactions must fit in")
    parser.add_argument("--events", type=int, default=1_000_000, help="size of the large ledger")
    parser.add_argument("--deliveries", type=int, default=1500)
    parser.add_argument("--warm-up", type=int, default=200, help="rounds of 512 events before appends are measured")
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait for an idle machine before each measurement; 0 = do not")
    parser.add_argument("--only", default="", help="only lines whose first two columns hold this")
    parser.add_argument("--json", action="store_true", help="one document in the end, with every round")
    parser.add_argument("--folder", help="where ledgers and peers' data are made; default: the temporary folder")
    parser.add_argument("--keep", action="store_true", help="leave that there")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.tail_seconds, options.events = 1, 0.5, 2, 20_000
        options.deliveries, options.warm_up, options.patience = 100, 2, 0
        peers.ActiveMQ.warm_up_seconds = 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that peers are stopped, too
    session = Session(options)
    try:
        session.line("what", "against", "ours", "against", "ratio", "goal")
        one_client(session, options.seconds)
        many_clients(session, options.seconds)
        parts(session, options.seconds)
        tail(session, options.tail_seconds)
        syncs(session, options.seconds)
        deliver(session, options.deliveries)
        sizes(session, options.seconds, options.events)
        session.finish()
    finally:
        session.close()


if __name__ == "__main__":
    main()
