"""A peer for the supervisor's tests: speaks the protocol, needs no pytest, and ends in every way.

The environment variable PEER says what to do before the handshake, the arguments of `start` what to do
after it.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import resource
import select
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).parents[4] / "python"))

from rpytest_worker.channel import Channel
from rpytest_worker.spool import CAPACITY, Spool
from rpytest_worker.wire import frame

PROTOCOL = 1


def pause() -> NoReturn:
    while True:
        signal.pause()


class Peer:
    def __init__(self, channel_fd: int, crash_fd: int, spool_fd: int) -> None:
        self.socket = socket.socket(fileno=channel_fd)
        self.channel = Channel(self.socket, spool=Spool(spool_fd))
        self.crash_fd = crash_fd
        self.spool_fd = spool_fd
        faulthandler.enable(crash_fd)

    def greet(self, protocol: int = PROTOCOL) -> None:
        self.channel.send(
            {
                "type": "hello",
                "protocol": protocol,
                "pid": os.getpid(),
                "python": sys.version.split()[0],
                "pytest": "0.0",
            }
        )

    def relay(self, text: str) -> None:
        self.channel.send({"type": "relay", "payload": text.encode()})

    def main(self) -> NoReturn:
        self.greet()
        message = self.channel.recv()
        assert message == {"type": "welcome", "protocol": PROTOCOL}, message
        message, fds = self.channel.recv_with_fds()
        assert not fds
        if message is None:
            os._exit(0)
        if message["type"] == "host":
            self.serve()
        assert message["type"] == "start", message
        act, *arguments = [argument.decode() for argument in message["argv"]]
        getattr(self, f"act_{act}")(*arguments)
        raise AssertionError("an act does not return")

    def serve(self) -> NoReturn:
        read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        children: set[int] = set()
        while True:
            ready, _, _ = select.select([read, self.channel], [], [])
            if read in ready:
                os.read(read, 100)
                self.reap(children)
            if self.channel not in ready:
                continue
            message, fds = self.channel.recv_with_fds()
            if message is None or message["type"] == "shutdown":
                os._exit(0)
            if message["type"] == "probe":
                self.channel.send({"type": "probed", "token": message["token"], "interrupts": 0})
            if message["type"] != "fork":
                assert not fds
                continue
            number = message["child"]
            if os.environ.get("PEER") == "barren":
                failed = {"type": "fork_failed", "child": number, "reason": "no more memory"}
                self.channel.send(failed)
            elif os.environ.get("PEER") == "dies_at_fork":
                os.kill(os.getpid(), signal.SIGKILL)
            elif pid := os.fork():
                children.add(pid)
                self.channel.send({"type": "forked", "child": number, "pid": pid})
            else:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                child = Peer(*fds)
                self.channel.close()
                os.close(self.crash_fd)
                child.main()
            for fd in fds:
                os.close(fd)

    def reap(self, children: set[int]) -> None:
        for pid in list(children):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                children.discard(pid)
                code, number = os.waitstatus_to_exitcode(status), None
                if code < 0:
                    code, number = None, -code
                self.channel.send({"type": "exited", "pid": pid, "code": code, "signal": number})

    def act_host(self) -> NoReturn:
        self.serve()

    def act_finish(self) -> NoReturn:
        self.channel.send({"type": "finished", "payload": b"done", "error": None})
        sys.exit(0)

    def act_dawdle(self) -> NoReturn:
        """Says that it is done, closes its channel, and goes only when told to."""
        self.channel.send({"type": "finished", "payload": b"done", "error": None})
        self.channel.close()
        pause()

    def act_exit(self, code: str) -> NoReturn:
        os._exit(int(code))

    def act_signal(self, number: str) -> NoReturn:
        os.kill(os.getpid(), int(number))
        pause()

    def act_segfault(self) -> NoReturn:
        ctypes.string_at(0)
        raise AssertionError("that was no fault")

    def act_close(self) -> NoReturn:
        self.channel.close()
        pause()

    def act_flood(self, count: str) -> NoReturn:
        for number in range(int(count)):
            self.relay(f"{number} " + "x" * 200)
        os._exit(4)

    def act_post(self, count: str) -> NoReturn:
        """Posts more than the spool holds, in pieces of all sizes, and is killed."""
        for number in range(int(count)):
            size = CAPACITY if number % 100 == 50 else number * 7 % 2000
            message = {"type": "relay", "payload": b"%d " % number + b"x" * size}
            if number % 13 == 5:
                self.channel.send(message)
            else:
                self.channel.post(frame(message))
        os.kill(os.getpid(), signal.SIGKILL)
        pause()

    def act_post_and_pause(self) -> NoReturn:
        """Posts, and is busy with something else from then on."""
        self.channel.send({"type": "started", "task": 1})
        self.channel._flushed = float("inf")
        self.channel.post(frame({"type": "relay", "payload": b"posted"}))
        pause()

    def act_burst(self, count: str) -> NoReturn:
        """Sends much at once, and waits for an answer."""
        self.socket.sendall(frame({"type": "relay", "payload": b"x"}) * int(count))
        self.channel.recv()
        os._exit(0)

    def act_garbage(self) -> NoReturn:
        self.relay("before")
        self.socket.sendall(b"\xff" * 100)
        pause()

    def act_malformed(self) -> NoReturn:
        self.channel.send({"type": "surprise"})
        pause()

    def act_truncate(self) -> NoReturn:
        self.relay("before")
        self.socket.sendall(b"\0\0\1\0half a frame")
        os._exit(6)

    def act_again(self) -> NoReturn:
        self.greet()
        pause()

    def act_unread(self) -> NoReturn:
        """Dies with input unread, which resets the connection."""
        select.select([self.channel], [], [])
        self.relay("last words")
        os._exit(7)

    def act_leave_a_child(self) -> NoReturn:
        """Dies while a child of its own holds the channel open."""
        read, write = os.pipe()
        if os.fork() == 0:
            os.write(write, b"1")
            # It ends when the supervisor lets go of the channel.
            while self.channel.recv() is not None:
                pass
            os._exit(0)
        os.read(read, 1)
        self.relay("left a child")
        os._exit(8)

    def act_echo(self) -> NoReturn:
        """Relays the size of each payload that it is sent."""
        while (message := self.channel.recv()) is not None:
            if message["type"] == "finish":
                os._exit(0)
            self.relay(str(len(message["payload"])))
        os._exit(1)

    def act_descriptors(self) -> NoReturn:
        """Relays what the descriptors stand for that it has, beyond its channel and its files."""
        ours = {self.socket.fileno(), self.crash_fd, self.spool_fd}
        names = []
        for fd in map(int, os.listdir("/proc/self/fd")):
            try:
                if fd not in ours:
                    names.append(os.readlink(f"/proc/self/fd/{fd}"))
            except FileNotFoundError:
                pass  # that was the listing's own
        self.relay("\n".join(names))
        os._exit(0)

    def act_pause(self) -> NoReturn:
        self.relay("pausing")
        pause()


def argument(name: str) -> int:
    return int(sys.argv[sys.argv.index(name) + 1])


def main() -> NoReturn:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    peer = Peer(*(argument(f"--{name}-fd") for name in ("channel", "crash", "spool")))
    early, *arguments = os.environ.get("PEER", "").split() or [""]
    if early == "exit":
        os._exit(int(arguments[0]))
    if early == "segfault":
        peer.act_segfault()
    if early == "text":
        peer.socket.sendall(b"Traceback (most recent call last):\n")
        pause()
    if early == "older":
        peer.greet(protocol=0)
        pause()
    if early == "pause":
        pause()
    peer.main()


main()
