#!/usr/bin/env python3
"""Drives python_raw_client.py against a server: `python3 examples/drive_raw_client.py PATH_OF_THE_SERVER`.

It starts the server on a free port of loopback with a folder of its own, and stops it at the end. All of it is given
two minutes. Prints a line for each check, and ends with 0 if all of them held.
"""

import logging, os, pathlib, signal, subprocess, sys, tempfile, threading, time

from websockets.exceptions import ConnectionClosed

sys.dont_write_bytecode = True
import python_raw_client as raw
from python_raw_client import Client, Connection, Link, Refused, Type, encode

NUMBERS = 700_000
OUTPUT = b"".join(b"%d\r\n" % n for n in range(1, NUMBERS + 1))  # a terminal makes \r\n of \n; 5.5 MB
LINES = [b"line %d of input\n" % n for n in range(1, 3001)]


class Told(Client):
    """A client that tells when something has come."""

    def __init__(self, link, render, happened):
        super().__init__(link, render)
        self.happened = happened

    def take(self, frame):
        super().take(frame)
        with self.happened:
            self.happened.notify_all()


class Watched:
    """A client in a thread of its own, with all that it printed."""

    def __init__(self, link, *command, at=None):
        self.output, self.result = bytearray(), None
        self.at = at or (lambda watched: None)  # called after each piece of output
        self.happened = threading.Condition()
        self.client = Told(link, self.render, self.happened)
        self.thread = threading.Thread(target=self.run, args=command, daemon=True)
        self.thread.start()

    def run(self, *command):
        try:
            self.result = self.client.run(*command)
        except Exception as error:
            self.result = error
        with self.happened:
            self.happened.notify_all()

    def render(self, data):
        self.output += data
        self.at(self)

    def until(self, condition, seconds=30):
        with self.happened:
            assert self.happened.wait_for(lambda: condition() or self.result is not None, seconds), "waited in vain"
        assert condition(), f"ended before: {self.result!r}"

    def end(self, seconds=60):
        self.thread.join(seconds)
        assert not self.thread.is_alive(), f"still running after {len(self.output)} bytes"
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def wait_for(connection, *types):
    """The next frame of these types; what else the server tells is of no interest."""
    while True:
        frame = connection.receive(10)
        if frame.type in types:
            return frame


def refused(code, call, *args):
    try:
        call(*args)
    except Refused as error:
        assert error.args[0] == code, error
    else:
        raise AssertionError(f"should have been refused as {code}")


def close_code(connection):
    """With which code the server closes the WebSocket, once it has said why."""
    try:
        connection.socket.recv(timeout=10)
    except ConnectionClosed as closed:
        return closed.rcvd and closed.rcvd.code


def echo_and_status(link, text, folder):
    here = pathlib.Path(__file__).with_name("python_raw_client.py")

    def run(script, typed=b""):
        env = {**os.environ, "ORCHFLOW_LINK": text}
        command = [sys.executable, here, "sh", "-c", script]
        return subprocess.run(command, env=env, input=typed, stdout=subprocess.PIPE, timeout=20)

    done = run("echo hello; exit 7")
    assert (done.stdout, done.returncode) == (b"hello\r\n", 7), done
    done = run("stty -echo; echo go; read line; echo \"<$line>\"; kill -9 $$", b"typed\n")
    # What is typed before `stty` is echoed; either way it is read once.
    assert done.stdout.replace(b"typed\r\n", b"", 1).endswith(b"go\r\n<typed>\r\n"), done
    assert done.returncode == 128 + 9, done


def output_is_exact(link, text, folder):
    watched = Watched(link, "seq", "1", str(NUMBERS))
    assert watched.end() == {"code": 0}
    assert watched.output == OUTPUT, f"{len(watched.output)} bytes, should be {len(OUTPUT)}"


def cuts_lose_nothing(link, text, folder):
    """Output and input at once, while the client cuts its own link, in the middle of output and of typing."""
    cuts = []

    def cut(watched):  # on the thread that reads: what is under way is lost
        if len(watched.output) > 500_000 * (len(cuts) + 1) and len(cuts) < 8:
            cuts.append(len(watched.output))
            watched.client.connection.cut()

    file = os.path.join(folder, "input")
    script = f'stty -echo; echo ready; seq 1 {NUMBERS} & cat > "$0"; wait; exit 3'
    watched = Watched(link, "sh", "-c", script, file, at=cut)
    watched.until(lambda: b"ready\r\n" in watched.output)
    for number, line in enumerate(LINES):
        watched.client.type(line)
        if number % 500 == 250:  # on another thread, whatever is under way
            cuts.append(len(watched.output))
            watched.client.connection.cut()
        if number % 10 == 0:
            time.sleep(0.005)  # provokes: typing goes on while output comes and the link is cut
    watched.client.type(b"\x04")  # the end of what `cat` reads
    assert watched.end() == {"code": 3}
    assert len(cuts) >= 8, cuts
    assert watched.output == b"ready\r\n" + OUTPUT, f"{len(watched.output)} bytes of output"
    read = pathlib.Path(file).read_bytes()
    assert read == b"".join(LINES), f"{len(read)} bytes of input instead of {sum(map(len, LINES))}"


def an_interrupt_key_ends_the_program(link, text, folder):
    watched = Watched(link, "sh", "-c", "echo ready; exec sleep 60")
    watched.until(lambda: b"ready\r\n" in watched.output)
    watched.client.type(b"\x03")
    assert watched.end(20) == {"signal": signal.SIGINT}


def who_was_forgotten_watches_on_and_types_nothing_twice(link, text, folder):
    script = "stty -echo; echo one; read line; echo \"two $line\"; exit 5"
    watched = Watched(link, "sh", "-c", script)
    watched.until(lambda: watched.output == b"one\r\n")
    before = watched.client.connection
    watched.client.identity["secret"] = bytes(32)  # what it proves itself by is not known to the server
    before.cut()
    watched.until(lambda: watched.client.connection is not before and watched.client.attached)
    assert watched.client.connection.welcome["resumed"] is False
    watched.client.type(b"go\n")
    assert watched.end(20) == {"code": 5}
    assert watched.output == b"one\r\ntwo go\r\n", watched.output


def wrong_tokens_are_refused(link, text, folder):
    wrong = Link(text)
    wrong.key = bytes(32)
    refused("unauthorized", Connection, wrong)  # by us: the server's proof is not what this key makes of it

    class LooksAway(Link):
        """Has the right key for the server's proof, which a guesser would not check, and a wrong one for its own."""

        keys = [link.key, bytes(32)]
        key = property(lambda self: self.keys.pop(0), lambda self, key: None)

    codes = []
    cut, Connection.cut = Connection.cut, lambda self: codes.append(close_code(self))
    try:
        refused("unauthorized", Connection, LooksAway(text))  # by the server
    finally:
        Connection.cut = cut
    assert codes == [4401], codes


def unknown_types(link, text, folder):
    connection = Connection(link)
    for stream in 0, 9:
        connection.send(encode(0x7F, stream, 5, b"whatever", raw.IGNORABLE))
    connection.send(encode(Type.PING, position=42))
    assert wait_for(connection, Type.PONG).position == 42
    connection.send(encode(0x7F))
    refused("unknown_type", wait_for, connection, Type.PONG)
    assert close_code(connection) == 4400


def viewers_cannot_type(link, text, folder):
    owner = Watched(link, "sh", "-c", "echo ready; read line; echo \"<$line>\"")
    owner.until(lambda: b"ready\r\n" in owner.output)
    token = pathlib.Path(folder, "orchflow", link.authority.split(":")[1], "token").read_text().strip()
    secret = raw.base64.urlsafe_b64decode(token.split(".")[-1] + "=")
    viewer = Link(text)
    viewer.role, viewer.key = "viewer", raw.proof(secret, b"orchflow 1 role", b"viewer")

    for as_link in viewer, link:  # with a viewer's pass, and with more than that but watching as a viewer
        connection = Connection(as_link)
        attach = {"session": owner.client.session, "start": {"offset": 0}, "role": "viewer"}
        connection.send(encode(Type.ATTACH, 5, 1, attach))
        assert wait_for(connection, Type.ATTACHED, Type.ERROR).body["role"] == "viewer"
        connection.send(encode(Type.INPUT, 5, 1, b"intruder\n"))
        answer = wait_for(connection, Type.INPUT_REFUSED, Type.INPUT_ACK)
        assert (answer.type, answer.position, answer.body["code"]) == (Type.INPUT_REFUSED, 1, "forbidden"), answer
        if as_link is viewer:
            connection.send(encode(Type.SPAWN, 6, 2, {}))
            answer = wait_for(connection, Type.ERROR, Type.SPAWNED)
            assert (answer.type, answer.stream, answer.position) == (Type.ERROR, 6, 2), answer
            assert answer.body["code"] == "forbidden", answer
        connection.goodbye("leaving")
    owner.client.type(b"friend\n")
    assert owner.end() == {"code": 0}
    assert owner.output.endswith(b"<friend>\r\n") and b"intruder" not in owner.output, owner.output


CHECKS = [echo_and_status, output_is_exact, cuts_lose_nothing]
CHECKS += [an_interrupt_key_ends_the_program, who_was_forgotten_watches_on_and_types_nothing_twice]
CHECKS += [wrong_tokens_are_refused, unknown_types, viewers_cannot_type]


def too_late(*_):
    raise SystemExit("not done after two minutes")


def main():
    # A cut on one thread surprises the thread of websockets that reads; it logs that, and is as closed as it should be.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGALRM, too_late)
    signal.alarm(120)
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "XDG_RUNTIME_DIR": folder}
        server = subprocess.Popen([sys.argv[1], "--port", "0"], env=env, stdout=subprocess.PIPE, text=True)
        try:
            text = server.stdout.readline().strip()
            link = Link(text)
            for check in CHECKS:
                started = time.monotonic()
                check(link, text, folder)
                print(f"ok  {check.__name__}  {time.monotonic() - started:.1f} s", flush=True)
            assert server.poll() is None, "the server has ended"
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


if __name__ == "__main__":
    main()
