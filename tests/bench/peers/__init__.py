"""What a facility would run instead: each started by the bench, measured by its own tool or by peer_client, and ended again."""

from peers.activemq import ActiveMQ
from peers.etcd import Etcd
from peers.mariadb import MariaDB
from peers.postgresql import PostgreSQL
from peers.rabbitmq import RabbitMQClassic, RabbitMQQuorum
from peers.redis import Redis

ALL = (PostgreSQL, MariaDB, Redis, Etcd, RabbitMQClassic, RabbitMQQuorum, ActiveMQ)
