"""Run a Galera cluster for the tests: MariaDB nodes on free ports."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.cap.databases import MariaDB
from tests.clusters.ports import free_ports
from tests.clusters.programs import GALERA_PROVIDER
from tests.drivers import library

MySQLdb = library("MySQLdb")

# In seconds. A node first copies the data of another, and the machine may be busy.
PATIENCE = 60

# mariadbd refuses to run as root.
USER = "mysql" if os.geteuid() == 0 else None

CONFIGURATION = """
[mariadbd]
datadir={node.directory}
socket={node.directory}.sock
port={node.port}
bind-address=127.0.0.1
log-error={node.log}
binlog_format=ROW
innodb_autoinc_lock_mode=2
innodb_buffer_pool_size=64M
innodb_log_file_size=16M
innodb_flush_log_at_trx_commit=0
max_connections=200
skip-name-resolve
wsrep_on=ON
wsrep_provider={provider}
wsrep_cluster_name=session_limit
wsrep_node_address=127.0.0.1:{node.group_port}
wsrep_cluster_address=gcomm://{members}
wsrep_provider_options="base_host=127.0.0.1;base_port={node.group_port};\
gmcast.listen_addr=tcp://127.0.0.1:{node.group_port};\
ist.recv_addr=127.0.0.1:{node.ist_port};gcache.size=16M"
wsrep_sst_method=rsync
wsrep_sst_receive_address=127.0.0.1:{node.sst_port}
wsrep_slave_threads=2
"""


class Node:
    """One server of the cluster."""

    def __init__(self, directory):
        self.directory = directory
        self.log = Path(f"{directory}.log")
        ports = free_ports(4)
        self.port, self.group_port, self.ist_port, self.sst_port = ports
        self.process = None

    def start(self, members, *options):
        configuration = Path(f"{self.directory}.cnf")
        addresses = ",".join(f"127.0.0.1:{node.group_port}" for node in members)
        configuration.write_text(
            CONFIGURATION.format(node=self, members=addresses, provider=GALERA_PROVIDER)
        )
        command = ["mariadbd", f"--defaults-file={configuration}", *options]
        if USER is not None:
            command.append(f"--user={USER}")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def connect(self, database="information_schema"):
        return MySQLdb.connect(
            host="127.0.0.1",
            port=self.port,
            user="root",
            database=database,
            autocommit=True,
        )

    def execute(self, statement, database="information_schema"):
        """Execute one statement, and return the rows that it finds."""
        connection = self.connect(database)
        try:
            cursor = connection.cursor()
            cursor.execute(statement)
            return cursor.fetchall()
        finally:
            connection.close()

    def status(self, name):
        [(_, value)] = self.execute(f"SHOW STATUS LIKE '{name}'")
        return value

    def is_ready(self):
        try:
            return self.status("wsrep_ready") == "ON"
        except MySQLdb.Error:
            return False

    def until_ready(self):
        deadline = time.monotonic() + PATIENCE
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"A node did not start:\n{self.log.read_text()}")
            time.sleep(0.1)

    @contextmanager
    def not_applying(self):
        """Keep the node from applying what the others commit, without delaying them."""
        connection = self.connect()
        try:
            cursor = connection.cursor()
            cursor.execute("SET GLOBAL wsrep_desync = ON")
            cursor.execute("FLUSH TABLES WITH READ LOCK")
            yield
            cursor.execute("UNLOCK TABLES")
            cursor.execute("SET GLOBAL wsrep_desync = OFF")
        finally:
            connection.close()

    def stop(self):
        if self.process is None:
            return
        # The data need not survive.
        self.process.kill()
        self.process.wait(PATIENCE)


class OnNode(MariaDB):
    """The cap tests' database, with this ``name`` on one node."""

    def __init__(self, node, name):
        super().__init__()
        self.name = name
        self.node = node

    def connect(self):
        return self.node.connect(self.name)

    def environment(self):
        return {
            **super().environment(),
            "CAP_HOST": "127.0.0.1",
            "CAP_PORT": str(self.node.port),
            "CAP_USER": "root",
            "CAP_PASSWORD": "",
        }


@contextmanager
def cluster(size):
    """Run a cluster of ``size`` nodes, and yield them."""
    with tempfile.TemporaryDirectory(prefix="session_limit_galera_") as directory:
        root = Path(directory)
        if USER is not None:
            shutil.chown(root, USER)
        nodes = [Node(root / str(number)) for number in range(size)]
        first, *others = nodes
        install = ["mariadb-install-db", "--no-defaults", "--skip-test-db"]
        install += ["--auth-root-authentication-method=normal"]
        install += [f"--datadir={first.directory}"]
        if USER is not None:
            install.append(f"--user={USER}")
        subprocess.run(install, check=True, capture_output=True, timeout=PATIENCE)
        with ExitStack() as stack:
            first.start(nodes, "--wsrep-new-cluster")
            stack.callback(first.stop)
            first.until_ready()
            for node in others:
                # The node copies the first node's data into this directory.
                node.directory.mkdir()
                if USER is not None:
                    shutil.chown(node.directory, USER)
                node.start(nodes)
                stack.callback(node.stop)
                node.until_ready()
            yield nodes
