#!/usr/bin/env python3
"""A client of the OrchFlow protocol in plain Python, written from docs/protocol.md and core/protocol.cddl alone.

    ORCHFLOW_LINK='http://127.0.0.1:7673/#token=owner.…' python3 examples/python_raw_client.py PROGRAM [ARGUMENT…]

It runs PROGRAM in a terminal of the server, prints what comes, types what it reads from stdin, comes back when the
link breaks, and ends with the program's exit status. Needs Python 3.11 and `pip install websockets cbor2`.
"""

import base64, hmac, os, random, socket, struct, sys, threading, time
from collections import deque, namedtuple
from contextlib import suppress
from enum import IntEnum
from urllib.parse import urlsplit

import cbor2
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

HEADER = struct.Struct("<BBHIQ")  # type, flags, stream, length, position: 16 bytes, little endian
CODEC, TIMESTAMP, IGNORABLE, RESERVED = 0b11, 1 << 2, 1 << 5, 1 << 7  # the flags that matter here
LONGEST, BEFORE_PROOF = 1 << 20, 4096  # frames that we accept; a message is never longer than that either
CREDIT = 512 << 10  # output that may be under way to us before we acknowledge some


class Type(IntEnum):
    HELLO, CHALLENGE, PROOF, WELCOME, PING, PONG, ERROR, DONE, GOODBYE = range(0x01, 0x0A)
    SPAWN, SPAWNED, ATTACH, ATTACHED, DETACH, DETACHED = range(0x10, 0x16)
    LIST, SESSIONS, CLOSE, CONTROL, VIEWERS = range(0x16, 0x1B)
    OUTPUT, ACK, GAP, INPUT, INTERRUPT, INPUT_ACK, INPUT_DROPPED, INPUT_REFUSED = range(0x20, 0x28)
    RESIZE, RESIZED, PROCESS_EXITED, EXIT = range(0x28, 0x2C)


RAW = {Type.OUTPUT, Type.INPUT, Type.INTERRUPT}  # bodies that are bytes of a terminal
EMPTY = {Type.PING, Type.PONG, Type.DONE, Type.DETACH, Type.ACK, Type.INPUT_ACK}  # all others have a map


BROKEN = OSError, WebSocketException  # the link is gone: come back, nothing is lost


class Fault(Exception):
    """The peer does not speak the protocol; `args[0]` is the code for our Goodbye."""


class Refused(Exception):
    """The server said no, `args[0]` is its code, and asking again would not help."""


# `body` is bytes or a map, as the type has it; `raw` is the frame as it travelled, over which the proofs are made.
Frame = namedtuple("Frame", "type stream position body raw")


def encode(type, stream=0, position=0, body=b"", flags=0):
    body = cbor2.dumps(body) if isinstance(body, dict) else body
    return HEADER.pack(type, flags, stream, len(body), position) + body


def ensure(condition, code="malformed"):
    if not condition:
        raise Fault(code)


def frames_of(message, longest=LONGEST):
    """Takes a message apart: it holds one frame or several, all of them whole."""
    ensure(isinstance(message, bytes))  # a text message is a violation
    at = 0
    while at < len(message):
        ensure(len(message) - at >= HEADER.size)
        type, flags, stream, length, position = HEADER.unpack_from(message, at)
        end = at + HEADER.size + length
        ensure(end <= min(len(message), at + longest) and not flags & (CODEC | RESERVED) and position < 1 << 53)
        raw, at = message[at:end], end
        if type not in set(Type):
            ensure(flags & IGNORABLE, "unknown_type")
            continue  # something newer than this client, that it may skip
        body = raw[HEADER.size :]
        if flags & TIMESTAMP:  # it counts as part of the length; this client has no use for it
            ensure(length >= 8)
            body = body[8:]
        ensure(type not in EMPTY or not body)
        yield Frame(type, stream, position, body if type in RAW | EMPTY else decode_map(body), raw)


def decode_map(body):
    """A map in a narrow kind of CBOR: each value has one form, so encoded again it is as long as it came."""
    try:
        value = cbor2.loads(body)
        ensure(isinstance(value, dict) and plain(value) and len(cbor2.dumps(value, canonical=True)) == len(body))
    except (cbor2.CBORDecodeError, ValueError):
        raise Fault("malformed") from None
    return value


def plain(value, depth=1):
    """Whether it is made of what bodies may hold: keys are text, numbers are at most 2^53 - 1, tags have no place."""
    if isinstance(value, dict | list):
        keys, values = (value, value.values()) if isinstance(value, dict) else ((), value)
        return depth <= 8 and all(isinstance(key, str) for key in keys) and all(plain(v, depth + 1) for v in values)
    return isinstance(value, (bool, str, bytes, float, type(None))) or type(value) is int and abs(value) < 1 << 53


def proof(key, label, *parts):
    """HMAC-SHA256 over every part after its length, so that no two lists of parts look the same."""
    mac = hmac.new(key, digestmod="sha256")
    for part in (label, *parts):
        mac.update(struct.pack("<I", len(part)) + part)
    return mac.digest()


class Link:
    """What the server printed: where it listens, and a pass. The pass is a role, a dot and a key."""

    def __init__(self, text):
        url = urlsplit(text)
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname  # in lower case already
        # The authority is what we dial. It always has its port, and goes into the proofs.
        self.authority = f"{host}:{url.port or (443 if url.scheme == 'https' else 80)}"
        self.url = f"{'wss' if url.scheme == 'https' else 'ws'}://{self.authority}/ws"
        self.role, key = url.fragment.removeprefix("token=").split(".")
        self.key = base64.urlsafe_b64decode(key + "=")


class Connection:
    """From the dial to the Goodbye. `identity` says who we were, `resume` what we watched, if we come back."""

    def __init__(self, link, identity=None, resume=()):
        # Compression is not part of the protocol, which has its own Ping too. What `cut` ends, no `with` needs to.
        self.socket = connect(link.url, compression=None, proxy=None, ping_interval=None, max_size=LONGEST).__enter__()
        self.send = self.socket.send
        self.waiting = deque()  # frames that shared a message with the last one
        try:
            self.welcome = self.shake_hands(link, identity, resume)
        except BaseException:
            self.cut()  # without a word more
            raise
        self.limits = {"ping_ms": 15_000, "credit": CREDIT, "input": 1 << 20} | (self.welcome.get("limits") or {})

    def shake_hands(self, link, identity, resume):
        body = {"versions": [1, 1], "role": link.role, "nonce": os.urandom(32), "agent": "python_raw_client"}
        body["limits"] = {"frame": LONGEST, "credit": CREDIT}
        body["features"] = {f"grease-{os.urandom(2).hex()}": []}  # a server must bear a name it does not know
        if identity:
            body |= {"client": identity["client"], "instance": identity["instance"], "resume": list(resume)}
        hello = encode(Type.HELLO, body=body)
        self.send(hello)

        # The server proves itself first. A stranger on its port cannot, and shall learn nothing from us.
        challenge = self.expect(Type.CHALLENGE, BEFORE_PROOF)
        theirs = self.expect(Type.PROOF, BEFORE_PROOF).body["mac"]
        ensure(challenge.body["version"] == 1 and set(challenge.body["features"]) <= set(body["features"]))
        parts = link.authority.encode(), hello, challenge.raw
        if not hmac.compare_digest(theirs, proof(link.key, b"orchflow 1 server proof", *parts)):
            raise Refused("unauthorized", "a stranger listens there, or the pass is of another time")
        mine = {"mac": proof(link.key, b"orchflow 1 client proof", *parts)}
        if identity:
            mine["resume"] = proof(identity["secret"], b"orchflow 1 resume proof", *parts)
        # Types that will never exist, marked as ignorable, show early if a server chokes on what it does not know.
        grease = encode(random.randrange(0x0F, 0x100, 0x10), body=os.urandom(8), flags=IGNORABLE)
        self.send(encode(Type.PROOF, body=mine) + grease)
        self.instance = challenge.body["instance"]
        return self.expect(Type.WELCOME).body

    def expect(self, type, longest=LONGEST):
        frame = self.receive(10, longest)
        ensure(frame.type == type, "unexpected")
        return frame

    def receive(self, timeout, longest=LONGEST):
        """The next frame, or TimeoutError."""
        while not self.waiting:
            message = self.socket.recv(timeout=timeout)
            try:
                self.waiting += frames_of(message, longest)
            except Fault as fault:
                self.goodbye(fault.args[0])
                raise
        frame = self.waiting.popleft()
        if frame.type == Type.PING:
            self.send(encode(Type.PONG, position=frame.position))
        if frame.type == Type.GOODBYE:  # the last frame, and why
            code = frame.body["code"]
            if code not in ("timeout", "overloaded", "shutting_down", "system", "internal"):
                raise Refused(code, frame.body.get("message", ""))
            time.sleep(min(frame.body.get("retry_ms", 0) / 1000, 10))
            raise ConnectionError(code)
        return frame

    def goodbye(self, code):
        with suppress(*BROKEN):
            self.send(encode(Type.GOODBYE, body={"code": code}))
            self.socket.close()

    def cut(self):
        """Ends the link as an unplugged cable does: no Goodbye, no closing handshake."""
        with suppress(OSError):
            self.socket.socket.shutdown(socket.SHUT_RDWR)


class Client:
    """Watches one session on stream 1. One thread calls `run`, others may call `type`."""

    def __init__(self, link, render):
        self.link, self.render = link, render
        self.identity = self.connection = self.session = self.status = self.attached = None
        self.offset = self.acked = 0  # after the last byte received and rendered, and what the server knows of it
        self.settled = 0  # the number of the last input that the server has taken for good
        self.unsettled = deque()  # the input after it; the number of each follows from its place
        self.typing = threading.Condition()  # guards both, and keeps frames in the order of their numbers

    def run(self, program, *args):
        """Spawns a program, watches it to its end, and returns its status. Whatever breaks meanwhile is mended."""
        self.request = {"program": program, "args": args, "size": {"cols": 80, "rows": 24}}
        failures = 0
        while True:
            try:
                self.open()
                failures = 0
                while self.status is None:
                    self.take(self.next_frame())
                self.connection.goodbye("leaving")
                return self.status
            except BROKEN as error:
                failures += 1
                if failures > 9:
                    raise
                print(f"[{error or 'no answer'}; coming back]", file=sys.stderr)
                time.sleep(random.uniform(0, min(0.05 * 2**failures, 10)))  # full jitter: not all at once

    def open(self):
        """Dials. What we watched is named in Hello, so that the server goes on with it at once."""
        self.attached = False
        resume = [{"stream": 1, "session": self.session, "offset": self.offset}] if self.session else []
        before, self.connection = self.identity, Connection(self.link, self.identity, resume)
        welcome = self.connection.welcome
        self.identity = {key: welcome[key] for key in ("client", "secret")} | {"instance": self.connection.instance}
        self.acked = self.offset  # what lies before it counts as rendered
        if before and not welcome["resumed"]:
            # What we typed last may have been applied or not, so that it must not be sent again.
            raise Refused("no_session", f"the server forgot us; {len(self.unsettled)} inputs may not have arrived")
        if self.request:  # new, or without an answer so far: under the same number it is carried out once
            self.connection.send(encode(Type.SPAWN, 1, 1, self.request))

    def next_frame(self):
        """Where none waits, all is rendered that we have: then the server is told before more is waited for."""
        for step in self.ack, lambda: self.connection.send(encode(Type.PING, position=1)), self.connection.cut:
            try:
                return self.connection.receive(0 if step == self.ack else self.connection.limits["ping_ms"] / 1000)
            except TimeoutError:
                step()
        raise ConnectionError("the server is silent")

    def take(self, frame):
        """What the server says on our stream; the rest this client need not know."""
        if frame.type in (Type.OUTPUT, Type.GAP, Type.EXIT) and frame.position != self.offset:
            self.connection.cut()  # a bug of one side: better to come back where we are
            raise ConnectionError(f"output at {frame.position} instead of {self.offset}")
        match frame.type:
            case Type.SPAWNED | Type.ATTACHED:  # Attached comes of itself after a resume
                self.session, self.request = frame.body["session"], None
                self.settle(frame.body.get("input", 0))
                self.send_again()
            case Type.OUTPUT:
                self.render(frame.body)
                self.offset += len(frame.body)
            case Type.GAP:
                print(f"[no output up to {frame.body['to']}: {frame.body['why']}]", file=sys.stderr)
                self.offset = frame.body["to"]
            case Type.INPUT_ACK:
                self.settle(frame.position)
            case Type.INPUT_REFUSED:
                self.refused(frame)
            case Type.EXIT:  # after the last byte of output
                self.status = frame.body["status"]
            case Type.ERROR | Type.DETACHED:
                raise Refused(frame.body.get("code", "detached"), frame.body.get("message", ""))
        if self.offset - self.acked >= self.connection.limits["credit"] // 16:
            self.ack()

    def ack(self):
        """Without it the server stops when `credit` bytes are under way, and so does the program."""
        if self.acked != self.offset:
            self.acked = self.offset
            self.connection.send(encode(Type.ACK, 1, self.offset))

    def type(self, data):
        """Takes input. It is kept until it is settled, whatever becomes of the link."""
        with self.typing:
            limit = self.connection.limits["input"] if self.connection else 1 << 20
            self.typing.wait_for(lambda: sum(map(len, self.unsettled)) + len(data) <= limit)
            self.unsettled.append(data)
            if self.attached:
                with suppress(*BROKEN):  # `run` sees it too, and sends again
                    self.connection.send(encode(Type.INPUT, 1, self.settled + len(self.unsettled), data))

    def settle(self, number):
        with self.typing:
            while self.unsettled and self.settled < number:
                self.unsettled.popleft()
                self.settled += 1
            self.typing.notify_all()

    def send_again(self):
        """What was settled meanwhile is acknowledged and not applied again: numbers make it safe."""
        with self.typing:
            self.attached = True
            for number, data in enumerate(self.unsettled, self.settled + 1):
                self.connection.send(encode(Type.INPUT, 1, number, data))

    def refused(self, frame):
        """The server waits for the number in `position`, and discards what comes after it until that one comes."""
        self.settle(frame.position - 1)
        if frame.body.get("retryable"):
            time.sleep(0.1)
        elif frame.body["code"] != "input_gap":  # never to be taken: what follows moves up to its number
            with self.typing:
                print(f"[refused: {frame.body['code']}, {self.unsettled.popleft()!r}]", file=sys.stderr)
        self.send_again()


def type_stdin(client):
    while data := os.read(0, 16384):  # a frame is settled as a whole, so it is better small
        client.type(data)
    client.type(b"\x04")  # a terminal has no end of input; Ctrl-D is the key that says it


def print_output(data):
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(141)  # whoever read our output has gone


def main():
    client = Client(Link(os.environ["ORCHFLOW_LINK"]), print_output)
    threading.Thread(target=type_stdin, args=[client], daemon=True).start()
    try:
        status = client.run(*sys.argv[1:])
    except (*BROKEN, Fault, Refused) as error:
        sys.exit(f"{sys.argv[0]}: {error}")
    # `status` has one key, or is the text "unknown". Shells tell a signal as 128 and its number.
    sys.exit(status.get("code", 128 + status.get("signal", 0)) if isinstance(status, dict) else 255)


if __name__ == "__main__":
    main()
