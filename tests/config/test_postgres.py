"""The embedded server: shared, adopted, recovered, and never started twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from tests.support.postgres import UNSAFE_BUT_FAST
from tests.support.waiting import until

from agentmart.config import secrets
from agentmart.config.postgres import EmbeddedPostgres, PostgresFailed
from agentmart.kit.env import BadSetting


@pytest.fixture
def server(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(data_dir, UNSAFE_BUT_FAST)
    server.start()
    yield server
    server.start()  # whatever the test did: join or start it, so that stop ends it
    server.stop()
    assert server.pid() is None


def asked(url: str, question: str) -> object:
    with psycopg.connect(url, connect_timeout=10) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return row[0]


def test_it_answers_on_a_private_socket_only(server: EmbeddedPostgres):
    assert str(asked(server.url(), "SHOW server_version")).startswith("18")
    assert asked(server.url(), "SHOW listen_addresses") == ""
    assert asked(server.url(), "SHOW server_encoding") == "UTF8"
    folder = Path(str(asked(server.url(), "SHOW unix_socket_directories")))
    assert folder.stat().st_mode & 0o777 == 0o700


def test_it_never_runs_as_root(server: EmbeddedPostgres):
    status = Path(f"/proc/{server.pid()}/status").read_text()
    (uids,) = [line.split()[1:] for line in status.splitlines() if line.startswith("Uid:")]
    assert "0" not in uids
    assert set(uids) == {str(server.place.data.stat().st_uid)}


def test_a_wrong_password_is_refused(server: EmbeddedPostgres):
    wrong = server.url().replace("postgres:", "postgres:x", 1)
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(wrong, connect_timeout=10)


def test_the_last_user_stops_it(server: EmbeddedPostgres):
    second = EmbeddedPostgres(server.data_dir)
    second.start()
    assert second.pid() == server.pid()
    server.stop()
    assert second.pid() is not None
    assert asked(second.url(), "SELECT 1") == 1
    second.stop()
    assert second.pid() is None


def test_a_killed_server_recovers_what_was_committed(data_dir: Path):
    with EmbeddedPostgres(data_dir) as first:
        with psycopg.connect(first.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (number int)")
            connection.execute("INSERT INTO kept VALUES (42)")
        pid = first.pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: first.pid() is None)
        with EmbeddedPostgres(data_dir) as second:
            assert second.pid() != pid
            assert asked(second.url(), "SELECT number FROM kept") == 42


def test_a_server_that_outlived_its_starter_is_joined(data_dir: Path):
    script = (
        "import sys; from pathlib import Path; from agentmart.config.postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1])); server.start(); print(server.pid(), flush=True)\n"
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(data_dir)], capture_output=True, text=True, check=False
    )
    assert result.returncode == -signal.SIGKILL
    with EmbeddedPostgres(data_dir) as server:
        assert server.pid() == int(result.stdout)
    assert server.pid() is None


def test_several_processes_starting_at_once_share_one_server(data_dir: Path):
    script = (
        "import sys; from pathlib import Path; from agentmart.config.postgres import EmbeddedPostgres\n"
        "with EmbeddedPostgres(Path(sys.argv[1])) as server:\n"
        "    print(server.pid(), flush=True); sys.stdin.read()"
    )
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    assert all(process.stdout for process in starting)
    pids = {process.stdout.readline().strip() for process in starting if process.stdout}
    for process in starting:
        process.communicate()
        assert process.returncode == 0
    assert len(pids) == 1
    assert "" not in pids
    assert EmbeddedPostgres(data_dir).pid() is None


def test_a_pid_file_that_names_another_program_is_no_obstacle(server: EmbeddedPostgres):
    server.stop()
    note = server.place.data / "postmaster.pid"
    note.write_text(f"{os.getpid()}\n{server.place.data}\n0\n5432\n{server.place.sockets}\n\n\nready   \n")
    assert server.pid() is None
    server.start()
    assert server.pid() not in (None, os.getpid())


def test_a_data_folder_of_another_version_is_refused(server: EmbeddedPostgres):
    server.stop()
    version = server.place.data / "PG_VERSION"
    version.write_text("16\n")
    with pytest.raises(BadSetting, match="is of PostgreSQL 16, this Agentmart runs 18"):
        server.start()
    version.write_text("18\n")


def test_a_server_that_cannot_start_says_why(data_dir: Path):
    broken = EmbeddedPostgres(data_dir, {"shared_buffers": "many"})
    with pytest.raises(PostgresFailed, match='invalid value for parameter "shared_buffers": "many"'):
        broken.start()


def test_a_long_path_gets_a_short_socket_folder(data_dir: Path):
    long = data_dir / ("x" * 120)
    with EmbeddedPostgres(long, UNSAFE_BUT_FAST) as server:
        first = server.place.sockets
        assert not first.is_relative_to(long)
        assert first.stat().st_mode & 0o777 == 0o700
        assert asked(server.url(), "SELECT 1") == 1
    again = EmbeddedPostgres(long).place.sockets
    assert again == first
    first.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another user")
def test_a_folder_nobody_else_may_enter_gets_its_data_elsewhere(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    closed = data_dir / "closed"
    closed.mkdir(mode=0o700)
    shared = data_dir / "shared"
    monkeypatch.setattr("agentmart.config.postgres_place.SHARED_ROOT", shared)
    with EmbeddedPostgres(closed / "data", UNSAFE_BUT_FAST) as server:
        assert server.place.data.is_relative_to(shared)
        assert asked(server.url(), "SELECT 1") == 1
        server.place.sockets.stat()
        sockets = server.place.sockets
    with EmbeddedPostgres(closed / "data", UNSAFE_BUT_FAST) as server:
        assert asked(server.url(), "SELECT 1") == 1
    sockets.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another user")
def test_binaries_the_server_cannot_read_are_copied(data_dir: Path, monkeypatch: pytest.MonkeyPatch):
    from agentmart.config import postgres_place

    closed = data_dir / "closed"
    closed.mkdir(mode=0o700)
    wheel = postgres_place.packaged_install().parent
    for folder in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        (closed / folder.name).symlink_to(folder)
    monkeypatch.setattr(postgres_place, "packaged_install", lambda: closed / wheel.name / "pginstall18")
    with EmbeddedPostgres(data_dir / "data", UNSAFE_BUT_FAST) as server:
        assert server.place.install.is_relative_to(data_dir / "data" / "pg")
        assert asked(server.url(), "SELECT 1") == 1


def test_secrets_are_made_once_and_kept_private(data_dir: Path):
    first = secrets.load(data_dir)
    assert secrets.load(data_dir) == first
    assert (data_dir / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert len(first.agent_keys_secret.encode()) >= 32
    assert first.app_password not in repr(first)
    values = [first.postgres_password, first.owner_password, first.app_password, first.gateway_password]
    assert len(set(values)) == 4


def said_by_nobody(act: Callable[[], object]) -> str:
    """Return what `act` returns, or the text of its error, in a forked process of the user `nobody`.

    Forked, not executed: that user may not be able to reach the interpreter's files.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        try:
            said = str(act())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_folder_of_another_user_is_refused_with_a_way_out(data_dir: Path):
    secrets.load(data_dir)
    assert said_by_nobody(lambda: secrets.load(data_dir)) == (
        f"BadSetting: AGENTMART_DATA_DIR: cannot make or open {data_dir}: it belongs to user id 0; "
        "choose a folder you may write with --data-dir"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_root_runs_an_ordinary_users_database_as_that_user(data_dir: Path):
    os.chown(data_dir, 65534, 65534)

    def start_and_stop() -> str:
        with EmbeddedPostgres(data_dir, UNSAFE_BUT_FAST) as server:
            return str(asked(server.url(), "SELECT 1"))

    assert said_by_nobody(start_and_stop) == "1"
    with EmbeddedPostgres(data_dir, UNSAFE_BUT_FAST) as server:
        assert "Uid:\t65534\t65534\t" in Path(f"/proc/{server.pid()}/status").read_text()
