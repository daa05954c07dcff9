"""RabbitMQ, one node: persistent messages with publisher confirms, one unconfirmed a connection, straight AMQP 0-9-1 (peer_client)."""

import os
import shutil
import struct

from peers import wire
from peers.server import EVENT, Peer, PeerFailed, connection, free_port

CHANNEL = 1


def short_text(text):
    return struct.pack(">B", len(text)) + text.encode()


def long_text(raw):
    return struct.pack(">I", len(raw)) + raw


def frame(kind, channel, body):
    return struct.pack(">BHI", kind, channel, len(body)) + body + b"\xce"


def method(channel, numbers, body=b""):
    return frame(1, channel, struct.pack(">HH", *numbers) + body)


class RabbitMQ(Peer):
    programs = ("rabbitmq-server", "epmd")
    places = ("usr/lib/rabbitmq/bin", "usr/lib/erlang/bin")
    account = "rabbitmq"
    patience_seconds = 120
    queue_type = ""

    @classmethod
    def program(cls, name):
        # Debian's wrapper in PATH insists on the system's own folders.
        inside = f"/usr/lib/rabbitmq/bin/{name}"
        return inside if os.path.exists(inside) else super().program(name)

    def launch(self):
        self.port, names, nodes = free_port(), free_port(), free_port()
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = true\nlog.file = false\n"
                                                   "disk_free_limit.absolute = 50MB\n")
        if self.user():
            for path in self.folder.iterdir():
                shutil.chown(path, self.user())
        environment = {"ERL_EPMD_PORT": str(names), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        self.serve(self.program("epmd"), "-port", names, "-address", "127.0.0.1", environment=environment)
        self.serve(self.program("rabbitmq-server"), environment={
            **environment, "RABBITMQ_NODENAME": f"bench{self.port}@localhost", "RABBITMQ_DIST_PORT": str(nodes),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"), "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"), "RABBITMQ_LOGS": "-", "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"), "RABBITMQ_CONF_ENV_FILE": "/dev/null"})

    def is_ready(self):
        self.confirming().close()
        return True

    def read(self, made):
        """Class and method of the next method frame."""
        def exactly(count):
            got = b""
            while len(got) < count:
                part = made.recv(count - len(got))
                if not part:
                    raise PeerFailed("RabbitMQ closed a connection")
                got += part
            return got
        _, _, size = struct.unpack(">BHI", exactly(7))
        body = exactly(size + 1)
        return struct.unpack(">HH", body[:4]), body[4:-1]

    def expect(self, made, numbers):
        got, body = self.read(made)
        if got != numbers:
            raise PeerFailed(f"RabbitMQ answered {got} with {body[:200]!r}")
        return body

    def confirming(self):
        """A connection with the queue declared and confirms on."""
        made = connection(self.port)
        made.sendall(b"AMQP\0\0\x09\x01")
        self.expect(made, (10, 10))
        made.sendall(method(0, (10, 11), long_text(b"") + short_text("PLAIN") + long_text(b"\0guest\0guest") + short_text("en_US")))
        channels, largest_frame, _ = struct.unpack(">HIH", self.expect(made, (10, 30)))
        made.sendall(method(0, (10, 31), struct.pack(">HIH", channels, largest_frame, 0)) + method(0, (10, 40), short_text("/") + b"\0\0"))
        self.expect(made, (10, 41))
        made.sendall(method(CHANNEL, (20, 10), b"\0"))
        self.expect(made, (20, 11))
        arguments = short_text("x-queue-type") + b"S" + long_text(self.queue_type.encode())
        made.sendall(method(CHANNEL, (50, 10), struct.pack(">H", 0) + short_text("events") + b"\x02" + long_text(arguments)))  # durable
        self.expect(made, (50, 11))
        made.sendall(method(CHANNEL, (85, 10), b"\0"))
        self.expect(made, (85, 11))
        return made

    def append(self, clients, seconds):
        persistent = struct.pack(">HHQHB", 60, 0, len(EVENT), 0x1000, 2)
        request = (method(CHANNEL, (60, 40), struct.pack(">H", 0) + short_text("") + short_text("events") + b"\0") + frame(2, CHANNEL, persistent)
                   + frame(3, CHANNEL, EVENT))
        confirm = struct.pack(">BHIHH", 1, CHANNEL, 13, 60, 80)
        return wire.rate(seconds, (request, confirm, b"\xce"), [self.confirming() for _ in range(clients)])


class RabbitMQClassic(RabbitMQ):
    name = "RabbitMQ classic queue"
    setting = "durable queue, persistent messages, publisher confirms"
    queue_type = "classic"


class RabbitMQQuorum(RabbitMQ):
    name = "RabbitMQ quorum queue"
    setting = "one member, persistent messages, publisher confirms"
    queue_type = "quorum"
