"""One session of measurements: sides that alternate on one machine, medians of their ratios, a table."""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import peers
from peers.server import PeerFailed

BIN = pathlib.Path(os.environ["RUNLEDGER_BIN"])
WIDTHS = (52, 38, 12, 12, 9, 10)


class Absent(Exception):
    """What would be measured is not installed."""


class Failed(Exception):
    """A measurement did not come to its end."""


def at_least(value):
    return f">= {value}", lambda ratio: ratio >= value


def at_most(value):
    return f"<= {value}", lambda ratio: ratio <= value


NO_GOAL = "", lambda ratio: None

FORMATS = {
    "rate": lambda v: f"{v:,.0f}/s",
    "first_rate": lambda v: f"{v:,.0f}/s",
    "last_rate": lambda v: f"{v:,.0f}/s",
    "seconds": lambda v: f"{v * 1e3:,.1f} ms",
    "resident_kib": lambda v: f"{v / 1024:,.0f} MiB",
    "syncs": lambda v: f"{v:,.0f}",
}


def shown(key, value):
    return FORMATS.get(key, lambda v: f"{v:,.1f} us")(value)


def is_idle(seconds=0.5):
    """Whether nine tenths of the machine had nothing to do for that long."""
    def read():
        fields = [int(f) for f in open("/proc/stat").readline().split()[1:]]
        return fields[3], sum(fields[:8])
    idle, total = read()
    time.sleep(seconds)
    idle_then, total_then = read()
    return idle_then - idle >= 0.9 * (total_then - total)


class Session:
    def __init__(self, options):
        self.options = options
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="runledger-bench.", dir=options.folder))
        self.folder.chmod(0o711)  # database servers run as users of their own
        self.rows = []
        self.made = 0
        self.running, self.broken = {}, {}
        self.taken = self.disturbed = 0

    def close(self):
        for peer in self.running.values():
            peer.stop()
        # Not earlier: on some disks a large file that goes makes the next syncs slow.
        if not self.options.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def wants(self, name):
        return self.options.only.lower() in name.lower()

    def new_folder(self):
        self.made += 1
        return self.folder / str(self.made)

    # ---- taking one measurement ----

    def take(self, what, amount, *numbers, folder=None, program="bench_ledger"):
        """One line of JSON from a program of ours."""
        if not (BIN / program).exists():
            raise Absent(f"{program} was not built")
        words = [what] if what else []
        command = [str(part) for part in (BIN / program, *words, folder or self.new_folder(), amount, *numbers)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"{' '.join(command)}: {done.stderr.strip()[-500:] or f'ended with {done.returncode}'}")
        return json.loads(done.stdout)

    def warm(self, what, amount, number):
        """The same of a ledger that has been at work for a while."""
        return self.take(what, amount, number, self.options.warm_up)

    def killed(self, what, folder, events):
        """Appends and ends by kill -9."""
        done = subprocess.run([str(part) for part in (BIN / "bench_ledger", what, folder, events)], capture_output=True, text=True)
        if done.returncode != -9:
            raise Failed(f"{what} {folder}: {done.stderr.strip()[-500:]}")

    def peer(self, kind):
        """The peer, started when it is first asked for. Between its turns it sleeps."""
        if missing := kind.absent():
            raise Absent(f"not installed: {missing}")
        if kind in self.broken:
            raise self.broken[kind]
        if kind not in self.running:
            made = kind(self.new_folder())
            try:
                made.start()
            except (PeerFailed, OSError, subprocess.SubprocessError) as problem:
                made.stop()
                self.broken[kind] = PeerFailed(str(problem))
                raise self.broken[kind]
            self.running[kind] = made
            os.sync()  # what it wrote to begin with is not to disturb what is measured
        return self.running[kind]

    def of(self, kind, how):
        """A side that asks a peer: how(peer)."""
        def side():
            peer = self.peer(kind)
            with peer.awake():
                return how(peer)
        return side

    def quietly(self, side):
        """Once the machine is idle; or in the end nevertheless."""
        self.taken += 1
        give_up = time.monotonic() + self.options.patience
        while self.options.patience > 0 and not is_idle():
            if time.monotonic() > give_up:
                self.disturbed += 1
                break
        return side()

    # ---- comparing ----

    def compare(self, name, ours, against, key="rate", rounds=None):
        """`against`: (label, side, goal) each. A round takes ours and then every side; a ratio is the median over rounds."""
        against = [each for each in against if self.wants(f"{name} / {each[0]}")]
        if not against:
            return
        pairs = {label: [] for label, _, _ in against}
        lost = {}
        for _ in range(rounds or self.options.rounds):
            try:
                measured = self.quietly(ours)
            except (Absent, Failed, PeerFailed) as problem:
                lost.update({label: f"ours: {problem}" for label in pairs})
                break
            for label, side, _ in against:
                if label in lost:
                    continue
                try:
                    pairs[label].append((measured, self.quietly(side)))
                except Absent as problem:
                    lost[label] = f"absent ({problem})"
                except (Failed, PeerFailed, OSError) as problem:
                    lost[label] = f"not measured: {problem}"
        for label, _, goal in against:
            if label in lost:
                self.say_lost(name, label, lost[label], goal)
                continue
            keys = key if isinstance(key, tuple) else (key,)
            for each in keys:
                self.say(name, label, each, [(a[each], b[each]) for a, b in pairs[label]], goal)

    def say(self, name, label, key, pairs, goal):
        ratio = statistics.median(a / b if b else float("inf") for a, b in pairs)
        ours, theirs = (statistics.median(side) for side in zip(*pairs))
        words, met = goal
        unit = {"p50_us": ", p50", "p99_us": ", p99", "p999_us": ", p99.9"}.get(key, "")
        self.rows.append({"what": name + unit, "against": label, "key": key, "ours": ours, "theirs": theirs, "ratio": ratio, "goal": words,
                          "met": met(ratio), "rounds": pairs})
        mark = {True: "", False: "  not yet", None: ""}[met(ratio)]
        precise = f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.5f}"
        self.line(name + unit, label, shown(key, ours), shown(key, theirs), precise, words + mark)

    def say_lost(self, name, label, why, goal):
        self.rows.append({"what": name, "against": label, "lost": why, "goal": goal[0], "met": None})
        self.line(name, label, "", "", "", goal[0], why.splitlines()[0][:150])

    def note(self, text):
        self.rows.append({"note": text})
        if not self.options.json:
            print(f"    {text}", flush=True)

    def line(self, *cells):
        if self.options.json:
            return
        aligned = [f"{cell:<{w}}" if i < 2 or i > 4 else f"{cell:>{w}}" for i, (cell, w) in enumerate(zip(cells, WIDTHS))]
        print("  ".join([*aligned, *cells[len(WIDTHS):]]).rstrip(), flush=True)

    def finish(self):
        absent = [f"{kind.name} ({kind.absent()})" for kind in peers.ALL if kind.absent()]
        self.note(f"{self.taken} measurements, {self.disturbed} of them on a machine that was not idle before"
                  if self.options.patience > 0 else f"{self.taken} measurements; nobody waited for an idle machine")
        if absent:
            self.note("absent: " + ", ".join(absent))
        if self.options.json:
            print(json.dumps(self.rows, indent=1))
