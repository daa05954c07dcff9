"""etcd, one member, its defaults (every put is synced): puts as gRPC calls that h2load sends, a connection a client."""

import json
import re
import struct

from peers.server import EVENT, Peer, PeerFailed, free_port

# PutRequest{key: "event", value: EVENT} in protobuf, in a gRPC frame: not compressed, length.
PUT = b"\x0a\x05event" + b"\x12\x90\x03" + EVENT


class Etcd(Peer):
    name = "etcd"
    setting = "one member, defaults (fsync at every commit)"
    programs = ("etcd", "etcdctl", "h2load")

    def launch(self):
        client, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.url = client
        self.serve(self.program("etcd"), "--name", "bench", "--data-dir", self.folder / "data", "--listen-client-urls", client,
                   "--advertise-client-urls", client, "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
                   "--initial-cluster", f"bench={peers}", "--log-level", "warn", "--quota-backend-bytes", 8 << 30)
        (self.folder / "put").write_bytes(b"\0" + struct.pack(">I", len(PUT)) + PUT)

    def revision(self):
        printed = self.tool("env", "ETCDCTL_API=3", self.program("etcdctl"), f"--endpoints={self.url}", "endpoint", "status", "-w", "json")
        return json.loads(printed)[0]["Status"]["header"]["revision"]

    def is_ready(self):
        return self.revision() > 0

    def append(self, clients, seconds):
        before = self.revision()
        printed = self.tool(self.program("h2load"), "-c", clients, "-m", 1, "-t", 1, "-D", max(1, round(seconds)), "-d", self.folder / "put",
                            "-H", "content-type: application/grpc", "-H", "te: trailers", f"{self.url}/etcdserverpb.KV/Put")
        found = re.search(r"finished in ([0-9.]+)(ms|s), ([0-9.]+) req/s", printed)
        done = re.search(r"requests: .* (\d+) succeeded", printed)
        if not found or not done:
            raise PeerFailed(f"h2load said no rate: {printed[-800:]}")
        # A refused call is a "success" to HTTP: what counts is that the store has the puts.
        if self.revision() - before < int(done.group(1)):
            raise PeerFailed(f"h2load had {done.group(1)} answers, etcd took {self.revision() - before} puts")
        return {"rate": float(found.group(3))}
