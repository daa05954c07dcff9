"""Runs peer_client on connections that are opened and greeted here."""

import json
import os
import pathlib
import subprocess
import tempfile

from peers.server import PeerFailed

BIN = pathlib.Path(os.environ["RUNLEDGER_BIN"])


def _run(what, amounts, exchange, connections, ask=b""):
    """`exchange`: request, how its answer begins, how it ends."""
    request, begins, ends = exchange
    for each in connections:
        each.setblocking(True)
    with tempfile.TemporaryDirectory() as folder:
        path, ask_path = pathlib.Path(folder) / "request", pathlib.Path(folder) / "ask"
        path.write_bytes(request)
        ask_path.write_bytes(ask)
        numbers = [each.fileno() for each in connections]
        command = [BIN / "peer_client", what, *amounts, path, begins.hex(), ends.hex(), *numbers, *([ask_path] if ask else [])]
        done = subprocess.run([str(part) for part in command], pass_fds=numbers, capture_output=True, text=True)
    for each in connections:
        each.close()
    if done.returncode != 0:
        raise PeerFailed(done.stderr.strip())
    return json.loads(done.stdout)


def rate(seconds, exchange, connections):
    return _run("rate", [seconds], exchange, connections)


def deliver(events, pause_us, exchange, publisher, subscriber, ask=b""):
    return _run("deliver", [events, pause_us], exchange, [publisher, subscriber], ask)
