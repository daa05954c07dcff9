"""Redis over its Unix socket, XADD (redis-benchmark), the append-only file synced before every answer."""

import re

from peers import wire
from peers.server import EVENT, Peer, PeerFailed, connection


def command(*parts):
    parts = [part if isinstance(part, bytes) else part.encode() for part in parts]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


class Redis(Peer):
    name = "Redis"
    setting = "appendonly yes, appendfsync always, save ''"
    programs = ("redis-server", "redis-benchmark")

    def launch(self):
        self.socket = self.folder / "socket"
        self.serve(self.program("redis-server"), "--port", 0, "--unixsocket", self.socket, "--dir", self.folder, "--save", "",
                   "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no")

    def is_ready(self):
        return self.asked("PING") == b"+PONG\r\n"

    def asked(self, *parts):
        with connection(self.socket) as made:
            made.sendall(command(*parts))
            return made.recv(4096)

    def benchmark(self, clients, calls):
        printed = self.tool(self.program("redis-benchmark"), "-s", self.socket, "-c", clients, "-n", calls, "--csv",
                            "XADD", "events", "*", "b", EVENT.decode())
        found = re.search(r'^"XADD[^"]*","([0-9.]+)"', printed, re.M)
        if not found:
            raise PeerFailed(f"redis-benchmark said no rate: {printed[-500:]}")
        return float(found.group(1))

    def append(self, clients, seconds):
        """redis-benchmark takes a number of calls, not a time: a first round finds the number."""
        self.asked("DEL", "events")
        first = 50 * clients
        calls = max(first, int(self.benchmark(clients, first) * seconds))
        rate = self.benchmark(clients, calls)
        added = int(self.asked("XLEN", "events")[1:])
        if added < first + calls:
            raise PeerFailed(f"redis-benchmark was to add {first + calls} events and added {added}")
        return {"rate": rate}

    def deliver(self, events, pause_us):
        """XADD, and XREAD BLOCK by a subscriber that asks again after each."""
        self.asked("DEL", "events")
        ask = command("XREAD", "BLOCK", "0", "STREAMS", "events", "$")
        publisher, subscriber = connection(self.socket), connection(self.socket)
        subscriber.sendall(ask)
        return wire.deliver(events, pause_us, (command("XADD", "events", "*", "b", EVENT), b"$", b"\r\n"), publisher, subscriber, ask)
