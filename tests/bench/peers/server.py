"""Another system's server in a folder of its own, on a port nobody has, ended by its process id."""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time

EVENT = b"e" * 400


class PeerFailed(Exception):
    """The peer is there and did not do its part; the message says which and where its own messages are."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connection(address):
    """`address`: a port of 127.0.0.1, or the path of a socket."""
    if isinstance(address, int):
        made = socket.create_connection(("127.0.0.1", address), timeout=30)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(30)
    made.connect(str(address))
    return made


class Peer:
    """One server. A subclass says `name`, `setting` (how it is made durable), `programs`, and has launch(), is_ready() and append()."""

    name = setting = ""
    programs = ()
    places = ()  # to look for programs in, besides PATH
    account = None  # whom it must run as when the bench is root
    patience_seconds = 60

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.processes = []

    @classmethod
    def program(cls, name):
        return shutil.which(name) or next((str(p) for place in cls.places for p in sorted(pathlib.Path("/").glob(f"{place}/{name}"))), None)

    @classmethod
    def absent(cls):
        """The first thing that is not installed; None when all is there."""
        return next((name for name in cls.programs if not cls.program(name) and not os.path.exists(name)), None)

    def start(self):
        self.folder.mkdir(parents=True)
        if self.user():
            shutil.chown(self.folder, self.user())
        self.launch()
        give_up = time.monotonic() + self.patience_seconds
        while not self.ready_now():
            if time.monotonic() > give_up or any(p.poll() is not None for p in self.processes):
                raise PeerFailed(f"{self.name} did not start; {self.folder}/messages ends with:\n{self.messages()}")
            time.sleep(0.1)

    def ready_now(self):
        try:
            return self.is_ready()
        except (OSError, PeerFailed):
            return False

    def stop(self):
        self.signal(signal.SIGCONT)
        for process in reversed(self.processes):
            for how in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(process.pid, how)
                    process.wait(30)
        self.processes.clear()

    @contextlib.contextmanager
    def awake(self):
        """Asleep otherwise: what a server does after its turn is not to disturb the others'."""
        self.signal(signal.SIGCONT)
        try:
            yield
        finally:
            self.signal(signal.SIGSTOP)

    def signal(self, which):
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, which)  # its own session, made by serve()

    def user(self):
        if os.geteuid() != 0 or self.account is None:
            return None
        return pwd.getpwnam(self.account).pw_name

    def serve(self, *command, environment=None):
        with open(self.folder / "messages", "ab") as messages:
            self.processes.append(subprocess.Popen(
                [str(part) for part in command], stdout=messages, stderr=messages, stdin=subprocess.DEVNULL, cwd=self.folder,
                start_new_session=True, user=self.user(), env={**os.environ, "HOME": str(self.folder), **(environment or {})}))

    def tool(self, *command, text=""):
        """What a program of the peer's prints."""
        done = subprocess.run([str(part) for part in command], input=text, capture_output=True, text=True, user=self.user(), cwd=self.folder)
        if done.returncode != 0:
            raise PeerFailed(f"{self.name}: {' '.join(map(str, command))[:300]} failed: {(done.stderr or done.stdout)[-1000:]}")
        return done.stdout

    def messages(self):
        path = self.folder / "messages"
        return path.read_text(errors="replace")[-1500:] if path.exists() else ""
