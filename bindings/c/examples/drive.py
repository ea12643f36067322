"""Drives the examples in C as people would: the terminals, and the servers by the client `attach`.

Usage: python3 drive.py term PROGRAM, drive.py unix SERVE ATTACH, or drive.py ws SERVE_WS ATTACH: paths of the programs. Standard library only.
"""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../examples"))
from drive_term import DEADLINE, Relay, drive, goes_on_after_every_cut, lets_go_and_comes_back, tell  # noqa: E402


def unix(serve, attach):
    with tempfile.TemporaryDirectory() as above:
        folder = os.path.join(above, "served")
        server = subprocess.Popen([serve, folder], stdout=subprocess.PIPE, text=True)
        try:
            place = server.stdout.readline().strip()
            assert place == f"{folder}/socket", place
            drive([attach, place])
            tell(lets_go_and_comes_back, attach, place)
        finally:
            server.terminate()
            assert server.wait(DEADLINE) == 0
        assert os.listdir(folder) == []


def ws(serve, attach):
    relay = Relay()
    server = subprocess.Popen([serve, "--name", f"127.0.0.1:{relay.port}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        link = server.stdout.readline().strip()
        port = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/#token=.*", link).group(1)
        os.environ["ORCHFLOW_LINK"] = link
        drive([attach, "link"])
        tell(lets_go_and_comes_back, attach, "link")
        relay.start(int(port))
        os.environ["ORCHFLOW_LINK"] = link.replace(port, str(relay.port), 1)
        tell(goes_on_after_every_cut, attach, relay)
    finally:
        server.terminate()
        assert server.wait(DEADLINE) == 0


def main(kind, *programs):
    os.environ["TERM"] = "xterm-256color"
    os.environ["PS1"] = "READY> "
    {"term": lambda program: drive([program]), "unix": unix, "ws": ws}[kind](*programs)


if __name__ == "__main__":
    main(*sys.argv[1:])
