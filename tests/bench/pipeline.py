"""How fast a finished run is reduced, as ratios against the least it could cost, taken in turn on the same machine.

    RUNLEDGER_BIN=build/release/bin /usr/bin/python3 tests/bench/pipeline.py [--runs 200] [--rounds 5] [--memory-runs 10000]

Prints a table. Times come from the ledger's own events and the files' closing times; nothing here passes or fails.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from site_under_test import BIN, PYTHON, SiteUnderTest, make_run  # noqa: E402

NO_OP = "def main(input_file, output_dir):\n    pass\n"
IMPORTS = "import numpy, h5py\n\ndef main(input_file, output_dir):\n    pass\n"


def seconds(text):
    from datetime import datetime

    text = text.rstrip("Z")
    whole, _, fraction = text.partition(".")
    return datetime.strptime(whole + "+0000", "%Y-%m-%dT%H:%M:%S%z").timestamp() + float("0." + (fraction or "0"))


def alone(script):
    """Seconds of `python3 script` by itself."""
    began = time.perf_counter()
    subprocess.run([PYTHON, script], check=True)
    return time.perf_counter() - began


def latency(text, rounds):
    """Medians over rounds: closed -> started, closed -> succeeded, and python3 alone on the same script, one after the other."""
    site = SiteUnderTest()
    try:
        raw = site.instrument("MARI", text)
        site.start()
        watch = subprocess.Popen([BIN / "runledger", "--site", site.folder, "--json", "watch", "--from", "1"],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        site.processes.append(watch)
        started, succeeded, by_hand = [], [], []
        for number in range(1, rounds + 2):
            make_run(raw / f"MAR{number:05}.nxs", number)
            closed = time.time()
            for event in map(json.loads, watch.stdout):
                if (event["kind"], event["run_number"]) == ("jobSucceeded", number):
                    break
            run = site.runs()[("MARI", number)]
            by_hand.append(alone(site.script_path("MARI")))
            started.append(seconds(run["started_at"]) - closed)
            succeeded.append(seconds(run["finished_at"]) - closed)
        return [statistics.median(values[1:]) for values in (started, succeeded, by_hand)]
    finally:
        site.close()


def wait_for_successes(site, runs, pause_seconds, patience_seconds):
    """Asks only now and then: the programs that ask run on the same machine and are not to be measured."""
    give_up = time.monotonic() + patience_seconds
    while site.json("status")["counts"].get("succeeded", 0) < runs:
        if time.monotonic() > give_up:
            raise SystemExit(f"{runs} runs were not reduced within {patience_seconds} s\n{site.logs()}")
        time.sleep(pause_seconds)


def processor_seconds(pid):
    """Of a process and its ended children, as long as it lives."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def pipeline_rate(runs):
    """Runs per second from the first detection to the last success, all files dropped at once; processor seconds of one."""
    site = SiteUnderTest()
    try:
        raw = site.instrument("MARI", NO_OP)
        staging = site.folder / "staging"
        staging.mkdir()
        for number in range(1, runs + 1):
            make_run(staging / f"MAR{number:05}.nxs", number)
        up = site.start()
        before = processor_seconds(up.pid)
        for path in sorted(staging.iterdir()):
            path.rename(raw / path.name)

        wait_for_successes(site, runs, 0.2, 600)
        used = processor_seconds(up.pid) - before
        rows = site.json("runs", "--limit", runs)
        return runs / (max(seconds(r["finished_at"]) for r in rows) - min(seconds(r["detected_at"]) for r in rows)), used / runs
    finally:
        site.close()


def limit_rate(runs, workers):
    with tempfile.TemporaryDirectory() as folder:
        script = pathlib.Path(folder) / "noop.py"
        script.write_text(NO_OP)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        out = subprocess.run([BIN / "limit_loop", f"{folder}/db", str(runs), str(workers), PYTHON, script], capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return float(out.stdout), used / runs


def memory(runs):
    """Peak resident memory of ledgerd, kB, after that many runs through daemons apart."""
    site = SiteUnderTest()
    try:
        raw = site.instrument("MARI", NO_OP)
        ledgerd = site.start("ledgerd")
        for program in ("monitord", "coordinatord", "workerd"):
            site.start(program)
        template = make_run(site.folder / "template.nxs", 1)
        for number in range(1, runs + 1):
            path = raw / f"MAR{number:05}.nxs"
            path.with_suffix(".part").write_bytes(template.read_bytes())
            path.with_suffix(".part").rename(path)
        wait_for_successes(site, runs, 5, 3600)
        return next(int(line.split()[1]) for line in open(f"/proc/{ledgerd.pid}/status") if line.startswith("VmHWM"))
    finally:
        site.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory-runs", type=int, default=0)
    options = parser.parse_args()
    print(f"{'what':50} {'measured':>12} {'limit':>12} {'ratio':>7}")
    for name, text in (("no-op script", NO_OP), ("script importing numpy and h5py", IMPORTS)):
        started, succeeded, by_hand = latency(text, options.rounds)
        print(f"{'closed -> started, ' + name:50} {started * 1e3:9.1f} ms {by_hand * 1e3:9.1f} ms {started / by_hand:7.2f}")
        print(f"{'closed -> succeeded, ' + name:50} {succeeded * 1e3:9.1f} ms {by_hand * 1e3:9.1f} ms {succeeded / by_hand:7.2f}")
    rates = [pipeline_rate(options.runs) + limit_rate(options.runs, 2) for _ in range(max(1, options.rounds // 2))]
    ours, our_time, limit, limit_time = (statistics.median(values) for values in zip(*rates))
    print(f"{f'{options.runs} no-op runs, 2 slots':50} {ours:10.1f}/s {limit:10.1f}/s {ours / limit:7.2f}")
    print(f"{'processor time of a no-op run':50} {our_time * 1e3:9.1f} ms {limit_time * 1e3:9.1f} ms {our_time / limit_time:7.2f}")
    if options.memory_runs:
        print(f"{f'ledgerd peak memory after {options.memory_runs} runs':50} {memory(options.memory_runs) / 1024:9.1f} MiB")


if __name__ == "__main__":
    main()
