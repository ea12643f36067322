/**
 * Serves the page with the headers of the real server, and terminals of the fake one behind it.
 */

import { readFile } from "node:fs/promises";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { passOf, passText } from "@orchflow/client";
import { WebSocketServer } from "ws";
import { FakeServer } from "../../../../bindings/typescript/test/kit/server.js";
import { shell } from "./shell.js";

const TYPES: Record<string, string> = { "index.html": "text/html; charset=utf-8", "app.js": "text/javascript; charset=utf-8", "style.css": "text/css; charset=utf-8" };

/** What the page must live with. */
export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'";

export interface Served {
  server: FakeServer;
  url: string;
  /** The link that a person would open. */
  link(role?: "owner" | "writer" | "viewer"): Promise<string>;
  /** New connections are refused, as by a server that is down. */
  isDown: boolean;
  close(): Promise<void>;
}

export async function serve(port = 0): Promise<Served> {
  const server = new FakeServer();
  server.programs.set("sh", shell);
  const http = createServer((request, response) => {
    const name = request.url === "/" ? "index.html" : (request.url ?? "").slice(1);
    const type = TYPES[name];
    if (type === undefined) return void response.writeHead(404).end();
    readFile(new URL(`../dist/${name}`, import.meta.url)).then((body) => {
      response.writeHead(200, { "content-type": type, "content-security-policy": CSP, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store" });
      response.end(body);
    }, () => response.writeHead(500).end());
  });
  const served: Served = {
    server,
    url: "",
    isDown: false,
    link: async (role = "owner") => `${served.url}#${passText(await passOf(server.token, role))}`,
    close: () => closed(http),
  };
  const sockets = new WebSocketServer({ noServer: true });
  http.on("upgrade", (request, socket, head) => {
    if (served.isDown || request.url !== "/ws") return void socket.destroy();
    sockets.handleUpgrade(request, socket, head, (web) => {
      const peer = server.accept({ send: (bytes) => web.send(bytes), close: (code, reason) => (code === 1006 ? web.terminate() : web.close(code, reason)) });
      web.on("message", (data) => peer.message(new Uint8Array(data as Buffer)));
      web.on("close", () => peer.closed());
    });
  });
  await new Promise<void>((resolve) => http.listen(port, "127.0.0.1", resolve));
  server.authority = `127.0.0.1:${(http.address() as AddressInfo).port}`;
  served.url = `http://${server.authority}/`;
  return served;
}

function closed(http: Server): Promise<void> {
  http.closeAllConnections();
  return new Promise((resolve) => void http.close(() => resolve()));
}
