"""Debian's slapd with the made-up facility, in a temporary folder, for one test program; stopped by its pid.

    slapd_under_test.py prepare FOLDER    writes what `slapd -f FOLDER/slapd.conf` needs (the C++ tests begin so too)

The folder: slapd (a copy: a profile of AppArmor for /usr/sbin/slapd would keep it out of here), slapd.conf, database/, facility.ldif, ca.pem,
other_ca.pem, server.pem, server.key, root_password, reader_password, short_password. The server's certificate is for 127.0.0.1 and localhost.
"""

import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
import make_facility  # noqa: E402

ROOT_NAME = f"cn=admin,{make_facility.SUFFIX}"
PATIENCE_SECONDS = 120

CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
sizelimit unlimited

database mdb
suffix "{suffix}"
rootdn "{root}"
rootpw {root_password}
directory {folder}/database
maxsize 67108864
dbnosync
index objectClass,uid,memberUid,member,uniqueMember eq
index cn eq,sub
limits dn.exact="cn=short,{services}" size=10
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="{visitors}" by * read
access to dn.base="{suffix}" by * search
access to * by dn.exact="cn=reader,{services}" read by dn.exact="cn=short,{services}" read by anonymous auth by * none
overlay memberof
overlay ppolicy
ppolicy_default "cn=default,ou=policies,{suffix}"

database monitor
access to * by dn.exact="{root}" read by * none
"""


def run(*arguments, check=True, **more):
    result = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS, **more)
    if check and result.returncode != 0:
        raise AssertionError(f"{arguments[0]} ended with {result.returncode}: {result.stderr}")
    return result


def make_certificates(folder):
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    for name in ("ca", "other_ca"):
        run("openssl", "req", "-x509", *key, "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem", "-subj", f"/CN=Test {name}")
    run("openssl", "req", *key, "-keyout", folder / "server.key", "-out", folder / "server.csr", "-subj", "/CN=slapd")
    extensions = folder / "server.ext"
    extensions.write_text("subjectAltName = IP:127.0.0.1, DNS:localhost\n")
    run("openssl", "x509", "-req", "-in", folder / "server.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial", "-days", "2",
        "-extfile", extensions, "-out", folder / "server.pem")


def prepare(folder):
    folder = pathlib.Path(folder)
    (folder / "database").mkdir()
    shutil.copy("/usr/sbin/slapd", folder / "slapd")
    make_certificates(folder)
    passwords = {"root": os.urandom(16).hex()} | {name: make_facility.password_of(name) for name in ("reader", "short")}
    for name, password in passwords.items():
        path = folder / f"{name}_password"
        path.touch(mode=0o600)
        path.write_text(password)
    (folder / "facility.ldif").write_text(make_facility.facility())
    (folder / "slapd.conf").write_text(CONFIGURATION.format(folder=folder, suffix=make_facility.SUFFIX, root=ROOT_NAME, root_password=passwords["root"],
                                                            services=make_facility.SERVICES, visitors=make_facility.VISITORS))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end_with_parent():
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class SlapdUnderTest:
    """Runs, with the facility loaded, when the constructor returns."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="runledger-slapd."))
        prepare(self.folder)
        self.process = None
        self.port = self.tls_port = None
        try:
            self.start()
            self.as_root("ldapadd", "-e", "relax", "-f", self.folder / "facility.ldif")
        except BaseException:
            self.close()
            raise

    @property
    def url(self):
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self):
        return f"ldaps://127.0.0.1:{self.tls_port}"

    def start(self):
        """On the ports of before, if there was a before; else on two that are free."""
        again = self.port is not None
        while True:
            if not again:
                self.port, self.tls_port = free_port(), free_port()
            self.process = subprocess.Popen([self.folder / "slapd", "-d", "0", "-f", self.folder / "slapd.conf", "-h", f"{self.url}/ {self.tls_url}/"],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.folder / "slapd.log", "ab"),
                                            preexec_fn=end_with_parent)
            give_up = time.monotonic() + PATIENCE_SECONDS
            # Its password is known here only: who takes it is this server and no other on the port.
            while self.process.poll() is None:
                if self.as_root("ldapwhoami", check=False).returncode == 0:
                    return
                if time.monotonic() > give_up:
                    raise AssertionError("slapd does not answer: " + (self.folder / "slapd.log").read_text())
            if again:
                raise AssertionError("slapd does not start: " + (self.folder / "slapd.log").read_text())

    def as_root(self, program, *arguments, **more):
        return run(program, "-x", "-H", self.url, "-D", ROOT_NAME, "-y", self.folder / "root_password", *arguments,
                   env=os.environ | {"LDAPNOINIT": "1"}, **more)

    def change(self, ldif):
        """Applies LDIF changes (`changetype: modify` and so on)."""
        self.as_root("ldapmodify", "-e", "relax", input=ldif)

    def suspend(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.process.kill()
        self.process.wait(timeout=PATIENCE_SECONDS)
        self.process = None

    def close(self):
        if self.process:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "prepare":
        sys.exit(__doc__)
    prepare(sys.argv[2])
