/**
 * How both sides prove that they hold the same pass, without showing it.
 *
 *     Hello ->   <- Challenge, Proof of the server   -> Proof of the client   <- Welcome
 *
 * Each proof is HMAC-SHA256 under the pass, over the whole Hello and Challenge frames and the authority that was dialled. A
 * client sends its own only after the server's was right: a stranger on the port learns nothing.
 *
 * Deliberately absent: randomness, which is the caller's, and encryption, which is TLS's.
 */

import { ROLES, type Role } from "./bodies.js";
import { fromBase64url, joined, toBase64url } from "./bytes.js";

/** HMAC-SHA256 of `data` under `key`. */
export type Hmac = (key: Uint8Array, data: Uint8Array) => Promise<Uint8Array>;

/** What lets its holder in as one role. */
export interface Pass {
  readonly role: Role;
  readonly key: Uint8Array;
}

/** What both sides have seen, and each proves to have seen unchanged. */
export interface Transcript {
  /** Where the client dialled; see {@link authorityOf}. */
  readonly authority: string;
  /** The Hello frame as it travelled, header included. */
  readonly hello: Uint8Array;
  /** The Challenge frame as it travelled, header included. */
  readonly challenge: Uint8Array;
}

const LABELS = {
  role: "orchflow 1 role",
  server: "orchflow 1 server proof",
  client: "orchflow 1 client proof",
  resume: "orchflow 1 resume proof",
} as const;

const utf8 = new TextEncoder();

/** HMAC by the platform's WebCrypto. Browsers have it on `https:` and on loopback only. */
export const webCryptoHmac: Hmac = async (key, data) => {
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  if (subtle === undefined) {
    throw new Error("this page may not use WebCrypto: open it by https, or by a loopback address such as http://127.0.0.1");
  }
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const imported = await subtle.importKey("raw", new Uint8Array(key), hmac, false, ["sign"]);
  return new Uint8Array(await subtle.sign(hmac.name, imported, new Uint8Array(data)));
};

/**
 * Reads a pass (`viewer.` and 43 characters) or a token (the 43 characters of a token file), which makes an owner.
 *
 * @throws {TypeError} where the text is neither; it does not repeat the text.
 */
export async function readPass(text: string, hmac: Hmac = webCryptoHmac): Promise<Pass> {
  const dot = text.indexOf(".");
  const key = fromBase64url(text.slice(dot + 1));
  if (key === undefined) throw new TypeError("a pass ends in 43 characters of base64url: copy all of the link");
  if (dot < 0) return passOf(key, "owner", hmac);
  const role = ROLES.find((known) => known === text.slice(0, dot));
  if (role === undefined) throw new TypeError(`a pass begins with its role and a dot: one of ${ROLES.join(", ")}`);
  return { role, key };
}

/** What lets its holder in as `role`, derived from the server's token. */
export async function passOf(token: Uint8Array, role: Role, hmac: Hmac = webCryptoHmac): Promise<Pass> {
  return { role, key: await mac(token, "role", [utf8.encode(role)], hmac) };
}

/** The text of a pass, as links carry it. */
export function passText(pass: Pass): string {
  return `${pass.role}.${toBase64url(pass.key)}`;
}

/** What a side shows to prove that it holds `key`, in this part. */
export function proofOf(part: "server" | "client" | "resume", key: Uint8Array, seen: Transcript, hmac: Hmac = webCryptoHmac): Promise<Uint8Array> {
  return mac(key, part, [utf8.encode(seen.authority), seen.hello, seen.challenge], hmac);
}

/**
 * Where `url` leads, as both sides write it: `host:port` in lower case, the port always there, IPv6 in brackets.
 *
 * @throws {TypeError} where it is no URL.
 */
export function authorityOf(url: string | URL): string {
  const { hostname, port, protocol } = new URL(url);
  const usual = protocol === "wss:" || protocol === "https:" ? "443" : "80";
  return `${hostname.toLowerCase()}:${port || usual}`;
}

/** Over the label and the parts, each after its length, so that no byte can move from one to the next. */
function mac(key: Uint8Array, label: keyof typeof LABELS, parts: readonly Uint8Array[], hmac: Hmac): Promise<Uint8Array> {
  const measured = [utf8.encode(LABELS[label]), ...parts].flatMap((part) => {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, part.length, true);
    return [length, part];
  });
  return hmac(key, joined(measured));
}
