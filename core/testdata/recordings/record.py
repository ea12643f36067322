"""Records a program in a terminal as asciicast v2: one line for each read, with a character that a read cuts in the next line.

usage: record.py OUT COLS ROWS [KEYS.json] -- PROGRAM ARGS...   (keys: an array of texts, typed 120 ms apart)
"""
import codecs
import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time

out, cols, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
split = sys.argv.index("--")
keys = json.load(open(sys.argv[4])) if split > 4 else []

pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
    os.environ.update(TERM="xterm-256color", USER="user", LANG="C.UTF-8", LC_ALL="C.UTF-8")
    os.execvp(sys.argv[split + 1], sys.argv[split + 1 :])

decoder = codecs.getincrementaldecoder("utf-8")("replace")
begun, reads = time.time(), []
due = begun + 1


def hold(data, final=False):
    text = decoder.decode(data, final)
    if text:
        reads.append([round(time.time() - begun, 6), "o", text])


while True:
    if keys and time.time() >= due:
        os.write(fd, keys.pop(0).encode())
        due = time.time() + 0.12
    ready, _, _ = select.select([fd], [], [], max(0, due - time.time()) if keys else None)
    if not ready:
        continue
    try:
        data = os.read(fd, 65536)
    except OSError:  # Linux says EIO at the end.
        break
    hold(data)
hold(b"", final=True)
os.waitpid(pid, 0)

with open(out, "w") as file:
    header = {"version": 2, "width": cols, "height": rows, "env": {"TERM": "xterm-256color"}}
    for line in [header, *reads]:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
