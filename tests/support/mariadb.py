"""A real MariaDB for a test, Debian's, with one empty database that anybody may use."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from deploy.local.programs import program
from tests.support.broker import CACHE
from tests.support.gateway import wait_until
from tests.support.ports import free_port

START_SECONDS = 90.0


@contextmanager
def running_mariadb(folder: Path) -> Iterator[str]:
    """Run it for as long as the block runs, and yield the URL of its database."""
    found, port = program("mariadbd", CACHE, print), free_port()
    (folder / "data").mkdir(parents=True)
    options = {
        "datadir": folder / "data",
        "port": port,
        "bind-address": "127.0.0.1",
        # A path of more than 107 bytes is none for a socket.
        "socket": f"/tmp/mariadb-{port}.sock",
        "pid-file": folder / "pid",
        "lc-messages-dir": found.path.parents[1] / "share/mysql",
        "innodb-flush-log-at-trx-commit": 0,
    }
    command = [str(found.path), "--no-defaults", "--skip-grant-tables", "--user=root"]
    command += [f"--{name}={value}" for name, value in options.items()]
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, env={**os.environ, **found.env}, stdout=output, stderr=output)
    url = f"mysql+pymysql://xqueue:password@127.0.0.1:{port}"
    try:
        wait_until(lambda: server.poll() is not None or _made(url), START_SECONDS, "MariaDB did not start")
        assert server.poll() is None, log.read_text(errors="replace")
        yield f"{url}/xqueue"
    finally:
        server.kill()
        server.wait()
        Path(str(options["socket"])).unlink(missing_ok=True)


def _made(url: str) -> bool:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            connection.execute(text("CREATE DATABASE IF NOT EXISTS xqueue CHARACTER SET utf8mb4"))
    except SQLAlchemyError:
        return False
    finally:
        engine.dispose()
    return True
