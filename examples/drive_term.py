"""Drives `term`, or `attach` and a server, as a person would, in a pseudo-terminal of Python's own.

Usage: python3 drive_term.py TERM, or drive_term.py ATTACH SERVER: paths of the programs. Standard library only. Every wait is for
something seen, with a deadline.
"""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

DEADLINE = 20.0


class Person:
    """Somebody at a terminal in which `term` runs a command: a list of a program and its first arguments."""

    def __init__(self, term, *command, size=(24, 80)):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(term[0], [*term, *command])
        self.resize(*size)
        self.seen = b""

    def resize(self, rows, cols):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def type(self, text):
        """Types all of `text`, reading on meanwhile: a terminal nobody reads takes no input either."""
        rest = text.encode() if isinstance(text, str) else text
        while rest:
            readable, writable, _ = select.select([self.fd], [self.fd], [], DEADLINE)
            assert readable or writable, "the terminal neither speaks nor listens"
            if readable:
                self._read()
            if writable:
                rest = rest[os.write(self.fd, rest[:1024]) :]

    def expect(self, pattern, within=DEADLINE):
        """Waits until `pattern` was shown; forgets everything up to its end and returns the match."""
        end = time.monotonic() + within
        while True:
            match = re.search(pattern, self.seen)
            if match:
                self.seen = self.seen[match.end() :]
                return match
            left = end - time.monotonic()
            assert left > 0, f"waited for {pattern!r}, saw {self.seen[-400:]!r}"
            if select.select([self.fd], [], [], left)[0]:
                assert self._read(), f"ended before {pattern!r}, saw {self.seen[-400:]!r}"

    def leave(self):
        """Waits for the end; returns the exit code."""
        while self._read():
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self):
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # Linux says so when the other side is gone.
            data = b""
        self.seen += data
        return bool(data)


def passes_keys_output_and_exit_code(term):
    person = Person(term, "sh")
    person.expect(rb"READY> ")
    person.type("echo $((6 * 7))\r")
    person.expect(rb"\r\n42\r\n")
    person.type("exit 7\r")
    assert person.leave() == 7


def every_line_of_a_long_output_arrives_once(term):
    person = Person(term, "seq", "1", "100000")
    assert person.leave() == 0
    assert person.seen.split() == [str(n).encode() for n in range(1, 100001)]


def tells_the_program_when_the_window_changes(term):
    person = Person(term, "sh", size=(30, 90))
    person.expect(rb"READY> ")
    person.resize(33, 101)
    os.kill(person.pid, signal.SIGWINCH)
    person.type("until [ \"$(stty size)\" = '33 101' ]; do :; done; echo now\" \"right\r")
    person.expect(rb"now right")
    person.type("exit\r")
    assert person.leave() == 0


def an_interrupt_stops_a_flood_at_once(term):
    person = Person(term, "sh")
    person.expect(rb"READY> ")
    person.type("yes\r")
    person.expect(rb"(y\r\n){1000}")
    pressed = time.monotonic()
    person.type("\x03")
    person.expect(rb"READY> ", within=2.0)
    took = time.monotonic() - pressed
    assert took < 0.5, f"the prompt came back after {took:.3f} s"
    person.type("exit\r")
    person.leave()


def a_large_paste_arrives_whole(term):
    lines = b"".join(b"line %06d of a paste that is longer than any buffer on its way\n" % n for n in range(16000))
    with tempfile.TemporaryDirectory() as folder:
        pasted = os.path.join(folder, "pasted")
        person = Person(term, "sh")
        person.expect(rb"READY> ")
        person.type(f"stty -echo; cat > {pasted}; echo d\"\"one\r")
        person.expect(rb"\n")
        person.type(lines)
        person.type("\x04")
        person.expect(rb"done")
        person.type("exit\r")
        person.leave()
        with open(pasted, "rb") as file:
            assert file.read() == lines


def vim_edits_a_file(term):
    if not shutil.which("vim"):
        print("  (vim is not installed: not tried)")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "notes.txt")
        person = Person(term, "vim", "-u", "NONE", "-N", path)
        person.expect(rb"notes\.txt")
        person.type("ihello from inside")
        person.expect(rb"inside")
        person.type("\x1b")
        person.expect(rb"\x1b\[1;17H")  # The cursor steps back: insert mode is over.
        person.resize(40, 100)
        os.kill(person.pid, signal.SIGWINCH)
        person.expect(rb"\x1b\[39;1H")  # Lines that were not there before.
        person.type(":set columns?\r")
        person.expect(rb"columns=100")
        person.type(":wq\r")
        assert person.leave() == 0
        with open(path) as file:
            assert file.read() == "hello from inside\n"


CHECKS = [
    passes_keys_output_and_exit_code,
    every_line_of_a_long_output_arrives_once,
    tells_the_program_when_the_window_changes,
    an_interrupt_stops_a_flood_at_once,
    a_large_paste_arrives_whole,
    vim_edits_a_file,
]


class Relay:
    """Stands between a client and a server, and cuts them off from each other."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open = []

    def start(self, port):
        threading.Thread(target=self._accept, args=(port,), daemon=True).start()

    def cut(self):
        while self.open:
            hang_up(self.open.pop())

    def _accept(self, port):
        while True:
            client = self.listener.accept()[0]
            try:
                server = socket.create_connection(("127.0.0.1", port))
            except OSError:
                client.close()  # The server has ended.
                continue
            self.open += [client, server]
            for ends in [(client, server), (server, client)]:
                threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, here, there):
        try:
            while data := here.recv(65536):
                there.sendall(data)
        except OSError:
            pass  # Cut.
        hang_up(here)
        hang_up(there)


def hang_up(end):
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # Somebody was here before.


def says_why_there_is_no_server(attach):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "token"), "w") as token:
            token.write("A" * 43)
        person = Person([attach, os.path.join(folder, "socket")])
        assert person.leave() == 1
        assert b"cannot be reached: No such file" in person.seen, person.seen


def lets_go_and_comes_back(attach, place):
    person = Person([attach, place], "sh")
    person.expect(rb"READY> ")
    person.type("kept=4$((1 + 1))\r")
    person.expect(rb"READY> ")
    person.type("~.")
    session = person.expect(rb"session (\d+) goes on").group(1).decode()
    assert person.leave() == 0
    listed = subprocess.run([attach, place, "--list"], capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert re.search(rf"^{session}\truns\t", listed.stdout, re.M), listed.stdout
    person = Person([attach, place], "--session", session)
    person.expect(rb"READY> ")
    person.expect(rb"\x1b\[5n")
    person.type("\x1b[?62;c\x1b[0necho $kept\r")  # What a terminal answers to old questions is not typed.
    person.expect(rb"\r\n42\r\n")
    person.type("exit 3\r")
    assert person.leave() == 3


def goes_on_after_every_cut(attach, relay):
    with tempfile.TemporaryDirectory() as folder:
        heard = os.path.join(folder, "heard")
        person = Person([attach, "link"], "sh", "-c", f"stty -echo; echo up; head -n 60 > {heard}; seq 1 60000")
        person.expect(rb"up\r\n")
        for number in range(60):
            person.type(f"line {number}\r")
            if number % 3 == 0:
                relay.cut()
        assert person.leave() == 0
        assert person.seen.split() == [str(n).encode() for n in range(1, 60001)]
        with open(heard) as file:
            assert file.read() == "".join(f"line {number}\n" for number in range(60))


def drive(term):
    for check in CHECKS:
        tell(check, term)


def tell(check, *arguments):
    began = time.monotonic()
    check(*arguments)
    print(f"ok {check.__name__} ({time.monotonic() - began:.2f} s)")


def drive_remotely(attach, program):
    """The same checks through a server of our own, over its WebSocket and its Unix socket."""
    tell(says_why_there_is_no_server, attach)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        relay = Relay()
        flags = ["--port", "0", "--host", f"127.0.0.1:{relay.port}"]
        server = subprocess.Popen([program, *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            link = server.stdout.readline().strip()
            port = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/#token=.*", link).group(1)
            os.environ["ORCHFLOW_LINK"] = link
            for place in ["link", os.path.join(folder, "orchflow", port, "socket")]:
                drive([attach, place])
                tell(lets_go_and_comes_back, attach, place)
            relay.start(int(port))
            os.environ["ORCHFLOW_LINK"] = link.replace(port, str(relay.port), 1)
            tell(goes_on_after_every_cut, attach, relay)
        finally:
            server.terminate()
            assert server.wait(DEADLINE) == 0


def main(program, server=None):
    os.environ["TERM"] = "xterm-256color"
    os.environ["PS1"] = "READY> "
    drive_remotely(program, server) if server else drive([program])


if __name__ == "__main__":
    main(*sys.argv[1:])
