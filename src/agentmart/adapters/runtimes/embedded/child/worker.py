"""A sandboxed child's loop: load flows, run them, stop them, as the parent asks. Holds no secret."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import socket
from typing import Any

from . import flows, frames, models

THREADS = 8
DETAIL_LENGTH, KIND_LENGTH = 2000, 100


def listen_for_models(channel: socket.socket) -> None:
    """Open the egress' port in this process's own network and hand it to the parent, who answers there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((models.EGRESS_HOST, models.EGRESS_PORT))
        listener.listen(128)
        socket.send_fds(channel, [b"E"], [listener.fileno()])


class Worker:
    """The flows one child holds and the runs it has in hand."""

    def __init__(self, installed: flows.Installed, *, custom: bool) -> None:
        self.installed = installed
        self.custom = custom
        self.flows: dict[str, flows.Flow] = {}
        self.runs: dict[str, asyncio.Task[None]] = {}
        self.writer: asyncio.StreamWriter

    async def serve(self, channel: socket.socket) -> None:
        """Answer the parent until it hangs up."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(THREADS))
        reader, self.writer = await asyncio.open_unix_connection(sock=channel)
        self._send({"event": "ready"})
        while (message := await frames.read(reader)) is not None:
            match message["op"]:
                case "load":
                    self._load(message)
                case "unload":
                    self.flows.pop(message["key"], None)
                case "run":
                    self._start(message)
                case "cancel":
                    if (task := self.runs.get(message["id"])) is not None:
                        task.cancel()

    def _send(self, message: dict[str, Any]) -> None:
        self.writer.write(frames.pack(message))

    def _load(self, message: dict[str, Any]) -> None:
        try:
            flow = flows.Flow(
                message["deployment_id"], message["flow"], trusted=not self.custom, installed=self.installed
            )
        except flows.BadFlow as error:
            self._send(_failure(message["id"], "bad_flow", str(error), error.__cause__))
        except Exception as error:  # noqa: BLE001 - outermost: whatever an export makes lfx raise is its flaw
            self._send(_failure(message["id"], "bad_flow", "The flow cannot be read by this runtime.", error))
        else:
            self.flows[message["key"]] = flow
            self._send({"id": message["id"], "event": "loaded", "memory": flow.uses_memory})

    def _start(self, message: dict[str, Any]) -> None:
        """Begin a run with the flow as it is now: the next message may already unload it, or cancel the run."""
        run_id = message["id"]
        flow = self.flows.get(message["key"])
        if flow is None:
            self._send(_failure(run_id, "flow_error", "The flow is not loaded."))
            return
        task = asyncio.get_running_loop().create_task(self._run(message, flow))
        self.runs[run_id] = task
        task.add_done_callback(lambda done: self._ended(run_id, done))

    def _ended(self, run_id: str, task: asyncio.Task[None]) -> None:
        self.runs.pop(run_id, None)
        if task.cancelled():  # before it had begun, too
            self._send({"id": run_id, "event": "cancelled"})

    async def _run(self, message: dict[str, Any], flow: flows.Flow) -> None:
        run_id = message["id"]

        def on_token(text: str) -> None:
            self._send({"id": run_id, "event": "token", "text": text})

        try:
            text, changes = await asyncio.wait_for(
                flow.run(
                    message["text"],
                    session_id=message["session_id"],
                    history=message["history"],
                    tweaks=message["tweaks"],
                    model_token=message["model_token"],
                    on_token=on_token if message["stream"] else None,
                ),
                message["timeout"],
            )
        except TimeoutError as error:
            self._send(_failure(run_id, "timeout", "The flow took longer than it may.", error))
        except flows.Refused as error:
            self._send(_failure(run_id, "refused", str(error)))
        except Exception as error:  # noqa: BLE001 - outermost: a flow may raise anything
            self._send(_explain(run_id, error))
        else:
            self._send_result({"id": run_id, "event": "result", "text": text, "changes": changes})

    def _send_result(self, message: dict[str, Any]) -> None:
        frame = frames.pack(message)
        if len(frame) > frames.MAX_ANSWER:
            frame = frames.pack(_failure(message["id"], "flow_error", "The flow's answer is too large."))
        self.writer.write(frame)


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain and len(chain) < 20:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _explain(run_id: str, error: Exception) -> dict[str, Any]:
    chain = _chain(error)
    if any(isinstance(item, MemoryError) for item in chain):
        return _failure(run_id, "crashed", "The flow used more memory than it may.", error)
    if any(type(item).__module__.partition(".")[0] == "openai" for item in chain):
        return _failure(run_id, "flow_error", "A model call of the flow failed.", error)
    return _failure(run_id, "flow_error", "The flow failed while it ran.", error)


def _failure(run_id: str, code: str, text: str, error: BaseException | None = None) -> dict[str, Any]:
    """Return the error frame: `message` may be shown, `detail` is for the provider, `kinds` for the log."""
    chain = _chain(error)
    kinds = [type(item).__name__[:KIND_LENGTH] for item in chain]
    detail = "\n".join(f"{type(item).__name__}: {item}" for item in chain)[:DETAIL_LENGTH]
    return {"id": run_id, "event": "error", "code": code, "message": text, "detail": detail, "kinds": kinds}


def run(channel: socket.socket, installed: flows.Installed, *, custom: bool) -> None:
    """Serve the parent on `channel`, then leave without the interpreter's long goodbye."""
    if custom:
        flows.allow_custom_code()
    listen_for_models(channel)
    asyncio.run(Worker(installed, custom=custom).serve(channel))
    os._exit(0)
