"""The terminado side of `orchflow-bench terminal`: serves terminals over WebSockets as Jupyter does, one for each connection.

Prints where it listens. Arguments: the program of every terminal, with its arguments.
"""

import asyncio
import sys

import tornado.httpserver
import tornado.netutil
import tornado.web
from terminado import TermSocket, UniqueTermManager


async def main():
    terminals = UniqueTermManager(shell_command=sys.argv[1:])
    pages = [(r"/ws", TermSocket, {"term_manager": terminals})]
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    tornado.httpserver.HTTPServer(tornado.web.Application(pages)).add_sockets(sockets)
    print("%s:%d" % sockets[0].getsockname(), flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
