import { expect, test } from "bun:test";
import { argon2id } from "@noble/hashes/argon2.js";
import { AppError } from "../../src/core/error.ts";
import { createPasswords } from "../../src/ports/passwords/argon2.ts";
import { bounded } from "../../src/ports/passwords/bounded.ts";
import { createNativePasswords } from "../../src/ports/passwords/native.ts";
import { parsePhc, printPhc } from "../../src/ports/passwords/phc.ts";
import { createWasmPasswords } from "../../src/ports/passwords/wasm.ts";
import { passwordsContract } from "./passwords.ts";

const wasmFile = Bun.file(Bun.fileURLToPath(import.meta.resolve("@phi-ag/argon2/argon2.wasm")));
const wasmModule = await WebAssembly.compile(await wasmFile.arrayBuffer());

/** An audited implementation in JavaScript, too slow to serve with, and independent of both others. */
const audited = () =>
  createPasswords(async ({ password, salt, cost, tagLength }) =>
    Uint8Array.from(argon2id(password, salt, { m: cost.memory, t: cost.passes, p: cost.lanes, dkLen: tagLength })),
  );

passwordsContract("native", async () => createNativePasswords());
passwordsContract("wasm", async () => createWasmPasswords(wasmModule));

test("the compiled module can do nothing but compute: it imports nothing", () => {
  expect(WebAssembly.Module.imports(wasmModule)).toEqual([]);
});

test("hashes of Bun, Node 22, Node 24, WebAssembly, JavaScript and Bun.password all verify each other", async () => {
  const password = "Grüße, 世界 🌍";
  const drivers = [createNativePasswords(), createWasmPasswords(wasmModule), audited()];
  const hashes = await Promise.all(drivers.map((driver) => driver.hash(password)));
  hashes.push(await Bun.password.hash(password, { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 }));
  const nodes = await Promise.all(["node22", "node24"].map((node) => peer(node, { password, hashes })));
  for (const node of nodes) {
    expect(node.right).toEqual(hashes.map(() => ({ ok: true, stale: false })));
    expect(node.wrong).toEqual(hashes.map(() => ({ ok: false, stale: false })));
  }
  for (const phc of [...hashes, ...nodes.map(({ hash }) => hash)]) {
    for (const driver of drivers) {
      expect(await driver.verify(password, phc)).toEqual({ ok: true, stale: false });
      expect(await driver.verify(`${password}!`, phc)).toEqual({ ok: false, stale: false });
    }
    expect(await Bun.password.verify(password, phc)).toBe(true);
  }
  // 110 at once: 3 or 1 are computed, 100 wait.
  expect(nodes.map(({ refused }) => refused)).toEqual([9, 7]);
}, 60_000);

interface PeerAnswer {
  hash: string;
  right: unknown[];
  wrong: unknown[];
  refused: number;
}

/** Where the packaged Node is not installed (it is x64 Linux alone), the one on PATH stands in. */
async function peer(node: string, input: object): Promise<PeerAnswer> {
  const packaged = new URL(`../../node_modules/${node}/bin/node`, import.meta.url).pathname;
  const script = new URL("./passwords.peer.ts", import.meta.url).pathname;
  const child = Bun.spawn([(await Bun.file(packaged).exists()) ? packaged : "node", script], {
    stdin: new TextEncoder().encode(JSON.stringify(input)),
    stderr: "inherit",
  });
  return JSON.parse(await new Response(child.stdout).text());
}

test("a flood is bounded: so many at once, so many waiting in their order, the rest refused, and places come back", async () => {
  const started: number[] = [];
  const finish: (() => void)[] = [];
  let running = 0;
  let most = 0;
  const work = bounded(
    async (i: number) => {
      started.push(i);
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => finish.push(resolve));
      running--;
      if (i === 0) throw new Error("one that fails gives its place back");
      return i;
    },
    { atOnce: 4, waiting: 100 },
  );
  const calls = Array.from({ length: 10_000 }, (_, i) => work(i));
  const settled = Promise.allSettled(calls);
  const refused = await Promise.allSettled(calls.slice(104));
  expect(refused.every((r) => r.status === "rejected" && (r.reason as AppError).code === "unavailable")).toBe(true);
  expect(started).toEqual([0, 1, 2, 3]);
  while (started.length < 104 || finish.length > 0) {
    finish.shift()?.();
    await Promise.resolve();
  }
  const results = await settled;
  expect(results.filter((r) => r.status === "fulfilled")).toHaveLength(103);
  expect(started).toEqual(Array.from({ length: 104 }, (_, i) => i));
  expect(most).toBe(4);
  const again = work(7);
  await Promise.resolve();
  finish.shift()?.();
  expect(await again).toBe(7);
});

test("a flood of verifications is refused beyond the queue, and is answered up to it", async () => {
  const passwords = createNativePasswords();
  const cheap = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
  const results = await Promise.allSettled(Array.from({ length: 150 }, () => passwords.verify("password", cheap)));
  expect(results.filter((r) => r.status === "fulfilled" && r.value.ok)).toHaveLength(103);
  const refused = results.flatMap((r) => (r.status === "rejected" ? [r.reason] : []));
  expect(refused.every((e) => e instanceof AppError && e.headers?.["retry-after"] === "2")).toBe(true);
});

test("a PHC string is printed as it was read, and its parameters may stand in any order", () => {
  const text = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
  const phc = parsePhc(text);
  expect(phc && printPhc(phc)).toBe(text);
  expect(parsePhc(text.replace("m=19456,t=2,p=1", "p=1,m=19456,t=2"))).toEqual(phc);
  expect(parsePhc(text.replace("m=19456,t=2,p=1", "m=65536,t=3,p=4"))?.cost).toEqual({
    memory: 65_536,
    passes: 3,
    lanes: 4,
  });
});
