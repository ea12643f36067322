/**
 * Proofs, versions and features come out as they do in every other language.
 */

import { describe, expect, test } from "vitest";
import type { Role, Versions } from "../src/bodies.js";
import { fromBase64url, sameBytes, toBase64url } from "../src/bytes.js";
import { authorityOf, passOf, passText, proofOf, readPass, webCryptoHmac } from "../src/handshake.js";
import { decode } from "../src/messages.js";
import { agree, commonVersion, greaseFeature, greaseFrame } from "../src/negotiation.js";
import { golden, hex, unhex } from "./golden.js";

interface Vectors {
  token: string;
  passes: string[];
  resume_secret: string;
  proofs: Record<"name" | "pass" | "authority" | "hello" | "challenge" | "server_proof" | "client_proof" | "resume_proof", string>[];
}

interface Negotiation {
  features: { agreed: string[]; ours: Record<string, string[]>; theirs: Record<string, string[]> }[];
  versions: { version: number | null; ours: Versions; theirs: Versions }[];
}

const vectors = golden<Vectors>("handshake.json");
const negotiation = golden<Negotiation>("negotiation.json");

describe("proofs", () => {
  test.each(vectors.proofs)("of $name", async (vector) => {
    const pass = await readPass(vector.pass);
    const seen = { authority: vector.authority, hello: unhex(vector.hello), challenge: unhex(vector.challenge) };
    expect(hex(await proofOf("server", pass.key, seen))).toBe(vector.server_proof);
    expect(hex(await proofOf("client", pass.key, seen))).toBe(vector.client_proof);
    expect(hex(await proofOf("resume", unhex(vectors.resume_secret), seen))).toBe(vector.resume_proof);
  });

  test("passes are derived from the token", async () => {
    const token = fromBase64url(vectors.token)!;
    for (const text of vectors.passes) {
      const role = text.split(".")[0] as Role;
      expect(passText(await passOf(token, role))).toBe(text);
      expect(passText(await readPass(text))).toBe(text);
    }
    expect(passText(await readPass(vectors.token))).toBe(vectors.passes[0]);
  });

  test("texts that are no pass are refused and not repeated", async () => {
    const good = "A".repeat(43);
    for (const text of ["", good.slice(1), `${good.slice(1)}=`, `${good.slice(1)}B`, `king.${good}`, `.${good}`, `owner.${good}A`]) {
      const error = await readPass(text).then(String, String);
      expect(error).toMatch(/^TypeError/);
      expect(error).not.toContain(good.slice(1));
    }
    expect(toBase64url(fromBase64url(good)!)).toBe(good);
  });

  test("a wrong byte shows, wherever it is", async () => {
    const mac = await webCryptoHmac(new Uint8Array(32), new Uint8Array(0));
    for (let at = 0; at < mac.length; at += 1) {
      const other = mac.slice();
      other[at]! ^= 1;
      expect(sameBytes(mac, other)).toBe(false);
    }
    expect(sameBytes(mac, mac.slice())).toBe(true);
    expect(sameBytes(mac, mac.slice(1))).toBe(false);
  });

  test("an authority always names its port", () => {
    expect(authorityOf("ws://LOCALHOST/ws")).toBe("localhost:80");
    expect(authorityOf("wss://example.com")).toBe("example.com:443");
    expect(authorityOf("ws://127.0.0.1:7681/ws#x")).toBe("127.0.0.1:7681");
    expect(authorityOf("ws://[::1]:7681")).toBe("[::1]:7681");
  });
});

describe("negotiation", () => {
  test.each(negotiation.versions)("$ours and $theirs", ({ ours, theirs, version }) => {
    expect(commonVersion(ours, theirs) ?? null).toBe(version);
    expect(commonVersion(theirs, ours) ?? null).toBe(version);
  });

  test.each(negotiation.features)("features $agreed", ({ ours, theirs, agreed }) => {
    const [a, b] = [new Map(Object.entries(ours)), new Map(Object.entries(theirs))];
    expect(agree(a, b)).toEqual(agreed);
    expect(agree(b, a)).toEqual(agreed);
  });

  test("nonsense stays nonsense", () => {
    for (const random of [0, 0.3, 0.999999]) {
      expect(greaseFeature(random)).toMatch(/^grease-[0-9a-f]{4}$/);
      expect(decode(greaseFrame(random))).toBeUndefined();
    }
  });
});
