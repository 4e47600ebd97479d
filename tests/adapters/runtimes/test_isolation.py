"""A flow with code of its own looks around in its process, and finds nothing."""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.runtimes.flows import Components, call
from tests.adapters.runtimes.launch import MODEL_KEY, SECRET, Running, launched, well
from tests.adapters.runtimes.model import Model

from agentmart.adapters.runtimes import Deployment
from agentmart.adapters.runtimes.embedded.client import EmbeddedRuntime
from agentmart.adapters.runtimes.embedded.sandbox import probe

pytestmark = pytest.mark.runtime
DEVICES = ("null", "random", "urandom", "zero")

# what it is asked for arrives as JSON: files, Unix sockets, ports of the host
PROBE = r"""
import ctypes, errno, json, os, resource, socket, sys, threading

asked = json.loads(text)
found = {"environment": dict(os.environ), "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups()}


def attempt(action):
    try:
        return {"got": repr(action())[:200]}
    except BaseException as error:
        return {"error": type(error).__name__}


def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        probe.connect(address)
        return "connected"


def file_text(path):
    with open(path) as file:
        return file.read()


def outside(folders):
    # every file that is not a library
    for root, inner, files in os.walk("/"):
        inner[:] = [name for name in inner if os.path.join(root, name) not in folders]
        yield from (os.path.join(root, name) for name in files)


libraries = {os.path.realpath(os.path.join(prefix, "lib")) for prefix in (sys.prefix, sys.base_prefix)}
libraries |= {"/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64"}
found["elsewhere"] = sorted(outside(libraries))
found["files"] = {path: attempt(lambda: file_text(path)) for path in asked["files"]}
found["folders"] = {path: attempt(lambda: os.listdir(path)) for path in asked["folders"]}
found["sockets"] = {path: attempt(lambda: connect(socket.AF_UNIX, path)) for path in asked["sockets"]}
found["ports"] = {str(port): attempt(lambda: connect(socket.AF_INET, (host, port))) for host, port in asked["ports"]}
found["abstract"] = attempt(lambda: connect(socket.AF_UNIX, asked["abstract"]))
found["netlink"] = attempt(lambda: socket.socket(16, socket.SOCK_RAW, 0))
found["root"] = sorted(os.listdir("/"))
found["passwd"] = file_text("/etc/passwd")
unknown = {"error": "ProcessLookupError"}
found["processes"] = [pid for pid in range(1, 3000) if attempt(lambda: os.kill(pid, 0)) != unknown]
threads = set(threading.enumerate()) - {threading.main_thread()}
found["own"] = sorted({os.getpid(), *(thread.native_id for thread in threads)})
found["kill everything"] = attempt(lambda: os.kill(asked["pid"], 9))
found["programs"] = attempt(lambda: os.posix_spawn("/bin/sh", ["sh", "-c", "id"], {}))
found["write root"] = attempt(lambda: open("/written", "w"))
found["write libraries"] = attempt(lambda: open(os.path.join(os.path.dirname(json.__file__), "written"), "w"))
found["descriptors"] = sorted(fd for fd in range(256) if "got" in attempt(lambda: os.fstat(fd)))
libc = ctypes.CDLL(None, use_errno=True)


def system_call(result):
    if result == 0 or result > 0:
        return "permitted"
    return errno.errorcode[ctypes.get_errno()]


found["unshare"] = system_call(libc.unshare(0x10000000))
found["mount"] = system_call(libc.mount(b"proc", b"/scratch", b"proc", 0, None))
found["ptrace"] = system_call(libc.ptrace(16, 1, 0, 0))
found["setuid"] = attempt(lambda: os.setuid(0))
names = ("RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_FSIZE")
found["limits"] = {name: resource.getrlimit(getattr(resource, name))[1] for name in names}
text = json.dumps(found)
"""


@pytest.fixture(scope="module", params=["root", "user"])
def where(
    request: pytest.FixtureRequest,
    runtime_python: Path,
    shared_model: Model,
    short_folder: Callable[[], Path],
) -> Iterator[Running]:
    """A runtime started by root, and one started by an ordinary user."""
    if os.geteuid() != 0 and request.param == "root":
        pytest.skip("only root can start it as root")
    as_user = request.param == "user" and os.geteuid() == 0
    with launched(short_folder(), runtime_python, shared_model.url, as_user=as_user, children=1) as running:
        yield running


async def _probe(running: Running, components: Components) -> dict[str, Any]:
    """Deploy the probe and have it look for what certainly is there, outside."""
    runtime = EmbeddedRuntime(running.socket)
    await well(runtime, running)
    deployment_id = uuid.uuid4().hex
    await runtime.deploy(Deployment(deployment_id, "buyer", "provider", components.custom(PROBE), "custom"))
    listener = socket.create_server(("127.0.0.1", 0))
    abstract = socket.socket(socket.AF_UNIX)
    name = "\0agentmart-" + uuid.uuid4().hex
    abstract.bind(name)
    abstract.listen()
    asked = {
        "files": [
            str(running.log),
            str(running.state / "sessions.sqlite3"),
            "/etc/shadow",
            "/etc/hostname",
            __file__,
        ],
        "folders": [
            str(running.state),
            str(Path(__file__).parent),
            "/proc",
            "/sys",
            "/home",
            "/var",
            "/run",
        ],
        "sockets": [str(running.socket)],
        "ports": [["127.0.0.1", listener.getsockname()[1]], ["192.0.2.1", 80], ["169.254.169.254", 80]],
        "abstract": name,
        "pid": running.process.pid,
    }
    try:
        result = await runtime.invoke(call(deployment_id, json.dumps(asked), timeout_seconds=30))
    finally:
        listener.close()
        abstract.close()
        await runtime.remove(deployment_id)
        await runtime.close()
    found = json.loads(result.text)
    assert isinstance(found, dict)
    return found


async def test_a_probe_finds_nothing(where: Running, components: Components) -> None:
    found = await _probe(where, components)
    assert MODEL_KEY not in json.dumps(found)
    assert SECRET not in json.dumps(found)
    assert not {
        name for name in found["environment"] if name.startswith(("AGENTMART", "POSTGRES", "PG", "DATABASE"))
    }
    for group in ("files", "folders", "sockets"):
        assert not {path: answer for path, answer in found[group].items() if "got" in answer}
        assert {answer.get("error") for answer in found[group].values()} <= {
            "FileNotFoundError",
            "PermissionError",
        }
    assert {answer["error"] for answer in found["ports"].values()} <= {"ConnectionRefusedError", "OSError"}
    elsewhere = [path for path in found["elsewhere"] if not path.startswith(("/scratch/", "/runtime/"))]
    etc = ["group", "hosts", "ld.so.cache", "nsswitch.conf", "passwd"]
    assert elsewhere == [f"/dev/{name}" for name in DEVICES] + [f"/etc/{name}" for name in etc]
    assert found["abstract"] == {"error": "ConnectionRefusedError"}
    assert found["netlink"] == {"error": "OSError"}
    assert found["passwd"] == "flow:x:65534:65534::/scratch:/nonexistent\n"
    assert found["processes"] == found["own"]  # itself, as process 1, and its threads
    assert found["own"][0] == 1
    assert found["kill everything"] in ({"error": "ProcessLookupError"}, {"error": "PermissionError"})
    assert found["programs"] == {"error": "PermissionError"}  # no process, whatever it were to run
    assert found["write root"] == found["write libraries"] == {"error": "OSError"}  # read-only
    assert (found["unshare"], found["mount"], found["ptrace"]) == ("EPERM", "EPERM", "EPERM")
    assert found["setuid"] in (
        {"error": "PermissionError"},
        {"error": "OSError"},
    )  # as user: there is no such id


async def test_a_flow_process_has_limits_and_no_rights(where: Running, components: Components) -> None:
    found = await _probe(where, components)
    limits = found["limits"]
    assert (limits["RLIMIT_CORE"], limits["RLIMIT_NPROC"], limits["RLIMIT_NOFILE"]) == (0, 128, 1024)
    assert 0 < limits["RLIMIT_AS"] < 8 * 2**30
    for pid in where.flow_processes():
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        names = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
        assert {int(status[name], 16) for name in names} == {0}
        assert (status["NoNewPrivs"].strip(), status["Seccomp"].strip()) == ("1", "2")


async def test_every_flow_process_has_a_user_of_its_own(where: Running, components: Components) -> None:
    found = await _probe(where, components)
    runs_as = Path(f"/proc/{where.process.pid}").stat().st_uid
    if runs_as != 0:
        assert found["uid"] == runs_as  # nobody else's id can be taken; namespaces alone separate
        return
    uids = [
        Path(f"/proc/{pid}/status").read_text().split("Uid:")[1].split()[0] for pid in where.flow_processes()
    ]
    assert found["uid"] >= 61000
    assert len(set(uids)) == len(uids)
    assert "0" not in uids
    assert found["groups"] == []


async def test_deployments_with_own_code_share_no_process(where: Running, components: Components) -> None:
    runtime = EmbeddedRuntime(where.socket)
    await well(runtime, where)
    body = "import sys\nsys.shared = getattr(sys, 'shared', '') + text\ntext = sys.shared"
    first, second = uuid.uuid4().hex, uuid.uuid4().hex
    for deployment_id in (first, second):
        await runtime.deploy(
            Deployment(deployment_id, "buyer", "provider", components.custom(body), "custom")
        )
    await runtime.invoke(call(first, "a-secret-of-one"))
    assert (await runtime.invoke(call(second, "mine"))).text == "mine"
    for deployment_id in (first, second):
        await runtime.remove(deployment_id)
    await runtime.close()


async def test_the_egress_serves_only_a_token_of_a_run_under_way(
    where: Running, components: Components, model: Model
) -> None:
    """A run calls the egress with its own key, with none, with a made-up one and with an old one."""
    body = r"""
import http.client, json
asked = json.loads(text)
answers = []
for method, path, key in asked["calls"]:
    own = self.graph.context["request_variables"]["OPENAI_API_KEY"]
    connection = http.client.HTTPConnection("127.0.0.2", 8080, timeout=10)
    headers = {"content-type": "application/json"}
    if key:
        headers["authorization"] = "Bearer " + (own if key == "own" else key)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
    connection.request(method, path, body, headers)
    answers.append(connection.getresponse().status)
    connection.close()
text = json.dumps({"answers": answers, "token": own})
"""
    runtime = EmbeddedRuntime(where.socket)
    await well(runtime, where)
    deployment_id = uuid.uuid4().hex
    await runtime.deploy(Deployment(deployment_id, "buyer", "provider", components.custom(body), "custom"))

    async def ask(*calls: tuple[str, str, str]) -> dict[str, Any]:
        result = await runtime.invoke(call(deployment_id, json.dumps({"calls": calls})))
        answer = json.loads(result.text)
        assert isinstance(answer, dict)
        return {**answer, "usage": result.usage, "model_calls": result.model_calls}

    chat = "/v1/chat/completions"
    first = await ask(
        ("POST", chat, "own"), ("POST", chat, ""), ("POST", chat, "run-made-up"), ("POST", "/v1/files", "own")
    )
    assert first["answers"] == [200, 401, 401, 403]
    assert (first["model_calls"], len(model.calls)) == (1, 1)
    assert first["usage"].input_tokens == 11
    again = await ask(("POST", chat, first["token"]))
    assert again["answers"] == [401]
    assert first["token"] != again["token"]
    await runtime.remove(deployment_id)
    await runtime.close()


def test_probe_says_what_is_available(runtime_python: Path) -> None:
    answer = probe(runtime_python)
    assert answer.ok
    assert answer.own_user == (os.geteuid() == 0)
