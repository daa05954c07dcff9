"""ActiveMQ: persistent messages over STOMP with receipts, one open a connection (peer_client); KahaDB's defaults sync each."""

import shutil

from peers import wire
from peers.server import EVENT, Peer, PeerFailed, connection, free_port

HOME = "/usr/share/activemq"

CONFIGURATION = """<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans-2.0.xsd
  http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" useJmx="false" brokerName="bench" dataDirectory="{folder}/data">
    <destinationPolicy><policyMap><policyEntries><policyEntry queue=">" producerFlowControl="false"/></policyEntries></policyMap></destinationPolicy>
    <persistenceAdapter><kahaDB directory="{folder}/data/kahadb"/></persistenceAdapter>
    <transportConnectors><transportConnector name="stomp" uri="stomp://127.0.0.1:{port}?transport.tcpNoDelay=true"/></transportConnectors>
  </broker>
</beans>
"""


class ActiveMQ(Peer):
    name = "ActiveMQ"
    setting = "persistent STOMP SEND with receipt, KahaDB defaults"
    programs = ("java", f"{HOME}/bin/activemq.jar", f"{HOME}/lib/activemq-stomp.jar")
    patience_seconds = 120
    warm_up_seconds = 20  # of load, until the Java machine has compiled what is hot

    def launch(self):
        self.port = free_port()
        for name in ("data", "tmp", "conf"):
            (self.folder / name).mkdir()
        (self.folder / "conf" / "activemq.xml").write_text(CONFIGURATION.format(folder=self.folder, port=self.port))
        self.serve(shutil.which("java"), "-Xmx2g", f"-Dactivemq.home={HOME}", f"-Dactivemq.base={self.folder}", f"-Dactivemq.conf={self.folder}/conf",
                   f"-Dactivemq.data={self.folder}/data", f"-Djava.io.tmpdir={self.folder}/tmp", f"-Dactivemq.classpath={self.folder}/conf",
                   "-jar", f"{HOME}/bin/activemq.jar", "start", f"xbean:file:{self.folder}/conf/activemq.xml")

    def connected(self):
        made = connection(self.port)
        made.sendall(b"CONNECT\naccept-version:1.0\nlogin:\npasscode:\n\n\0")
        got = b""
        while b"\0" not in got:
            part = made.recv(4096)
            got += part
            if not part:
                raise PeerFailed("ActiveMQ closed a connection")
        if not got.startswith(b"CONNECTED"):
            raise PeerFailed(f"ActiveMQ answered {got[:300]!r}")
        return made

    def is_ready(self):
        self.connected().close()
        return True

    def append(self, clients, seconds):
        request = b"SEND\ndestination:/queue/events\npersistent:true\nreceipt:r\ncontent-length:%d\n\n%s\0" % (len(EVENT), EVENT)
        exchange = (request, b"RECEIPT", b"\0\n")
        if self.warm_up_seconds:
            wire.rate(self.warm_up_seconds, exchange, [self.connected() for _ in range(8)])
            self.warm_up_seconds = 0
        return wire.rate(seconds, exchange, [self.connected() for _ in range(clients)])
