/** Seals reach their anchors: with the seal, once it has committed, and again where it failed. */
import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Secret } from "../../src/core/secret.ts";
import { auditJobs, sealEntries } from "../../src/modules/audit/jobs.ts";
import { openSeal, signSeal } from "../../src/modules/audit/seal.ts";
import { createSealing, type Follows } from "../../src/modules/audit/sealing.ts";
import { generateKeys, importKeys } from "../../src/modules/auth/keys.ts";
import { createFileAnchor } from "../../src/ports/anchor/node-file.ts";
import type { Anchor } from "../../src/ports/anchor/port.ts";
import { createS3Anchor } from "../../src/ports/anchor/s3.ts";
import { createWebhookAnchor } from "../../src/ports/anchor/webhook.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import type { JobContext } from "../../src/ports/queue/define.ts";
import { openSqlite, temporaryFolder } from "../helpers/databases.ts";
import { nodes } from "../helpers/nodes.ts";
import { startS3 } from "../helpers/s3.ts";
import { exported, keys, now, verdict, write } from "./audit.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const attempt = (): JobContext => ({
  ...{ jobId: "job_1", attempt: 1, actor: { type: "system", id: "test" }, traceId: null, requestId: null },
  ...{ now: now(), signal: new AbortController().signal, progress() {} },
});

test("each seal of a run that found something is a job for each anchor, which takes the newest one there", async () => {
  const { db, done } = await openSqlite("memory", openBunSqlite);
  const folder = temporaryFolder();
  stops.push(done, folder.remove);
  const path = join(folder.path, "deep/seals.txt");
  const taken: string[] = [];
  const other: Anchor = { name: "other", put: async (jws) => void taken.push(jws) };
  const handlers = auditJobs({ db, auditKeys: keys, anchors: [createFileAnchor(path), other] });
  const run = (name: string, input: unknown) =>
    handlers.find(({ type }) => type.name === name)?.run(input as never, attempt());

  await write(db, 1200);
  expect(await run(sealEntries.name, {})).toEqual({ sealed: 1200, seals: 2 });
  await write(db, 1);
  expect(await run(sealEntries.name, {})).toEqual({ sealed: 1, seals: 1 });
  expect(await run(sealEntries.name, {})).toEqual({ sealed: 0, seals: 0 });
  const { jobs } = db.tables;
  const waiting = await db.all(db.prepare((q) => q.select({ name: jobs.name, input: jobs.input }).from(jobs))(), {
    fresh: true,
  });
  expect(waiting.map(({ name }) => name)).toEqual(Array(4).fill("audit.anchor"));
  for (const { input } of waiting) await run("audit.anchor", input);
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  expect(lines).toEqual(taken);
  const seals = await Promise.all(lines.map((jws) => openSeal(keys.verifiers, jws)));
  expect(seals.map((seal) => seal?.size)).toEqual([1200, 1201]);
  expect((await verdict(await exported(db), lines)).faults).toEqual([]);
});

test("without keys nothing is sealed, and what is open stays open", async () => {
  const { db, done } = await openSqlite("memory", openBunSqlite);
  stops.push(done);
  await write(db, 3);
  const [seal] = auditJobs({ db, auditKeys: null, anchors: [] });
  expect(await seal?.run({} as never, attempt())).toEqual({ sealed: 0, seals: 0 });
  expect(await verdict(await exported(db))).toMatchObject({ open: 3, seals: 0, faults: [] });
});

test("a webhook gets the seal as it is, and whoever does not say that it was kept is asked again", async () => {
  const got: [string | null, string][] = [];
  let status = 204;
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      got.push([request.headers.get("content-type"), await request.text()]);
      return status === 302 ? Response.redirect("/elsewhere") : new Response(null, { status });
    },
  });
  stops.push(() => server.stop(true));
  const anchor = createWebhookAnchor({ url: new Secret(`${server.url}seals?token=hidden`) });
  expect(anchor.name).toBe(`webhook:${server.url.host}`);
  await anchor.put("a.b.c");
  expect(got).toEqual([["application/jose", "a.b.c"]]);
  for (status of [500, 302]) await expect(anchor.put("a.b.c")).rejects.toThrow(String(status));
  server.stop(true);
  await expect(anchor.put("a.b.c")).rejects.toThrow();
});

async function sealsOf(times: number) {
  const { db, done } = await openSqlite("memory", openBunSqlite);
  stops.push(done);
  const made: string[] = [];
  const follows: Follows = (_, { jws }) => {
    made.push(jws);
    return [];
  };
  for (let i = 0; i < times; i++) {
    await write(db, 2);
    await createSealing({ db, keys }).seal(now(), { follows });
  }
  return { db, made: made as [string, ...string[]] };
}

const bucket = () => {
  const s3 = startS3();
  stops.push(s3.stop);
  const { region, accessKeyId, secretAccessKey } = s3.keys;
  const secrets = { accessKeyId: new Secret(accessKeyId), secretAccessKey: new Secret(secretAccessKey) };
  return { ...s3, anchor: (other = {}) => createS3Anchor({ url: s3.url, region, ...secrets, ...other }) };
};

test("a bucket of S3's protocol holds each seal as an object of its own, and all of them one after the other are an anchor", async () => {
  const { db, made } = await sealsOf(3);
  const { objects, refused, anchor, url } = bucket();
  expect(anchor().name).toBe(`s3:${url.slice("http://".length)}`);
  for (const jws of made.toReversed()) await anchor().put(jws);
  const names = [...objects.keys()].toSorted();
  expect(names.map((name) => name.replace(/[\da-f]{32}/, "hash"))).toEqual(
    [1, 2, 3].map((n) => `/bucket/seals/00000000${n}-hash.jws`),
  );
  const lines = names
    .map((name) => objects.get(name))
    .join("")
    .trimEnd()
    .split("\n");
  expect(lines).toEqual(made);
  expect((await verdict(await exported(db), lines)).faults).toEqual([]);
  // A seal that comes twice is kept already; another one of its number stands beside it.
  await anchor().put(made[0]);
  expect(refused).toEqual([[names[0] as string, 412]]);
  const forged = await signSeal(await importKeys(await generateKeys()), { ...JSON.parse(payloadOf(made[0])), size: 1 });
  await anchor().put(forged);
  expect(objects.size).toBe(4);
  expect(objects.get(names[0] as string)).toBe(`${made[0]}\n`);
});

const payloadOf = (jws: string) => Buffer.from(jws.split(".")[1] ?? "", "base64url").toString();

test("a bucket that refuses the key, or does not answer, is asked again", async () => {
  const { made } = await sealsOf(1);
  const { objects, anchor, stop } = bucket();
  for (const other of [{ secretAccessKey: new Secret("wrong") }, { region: "us-east-1" }])
    await expect(anchor(other).put(made[0])).rejects.toThrow("the anchor answered 403");
  expect(objects.size).toBe(0);
  await stop();
  await expect(anchor().put(made[0])).rejects.toThrow();
});

test.each(nodes)("$name puts seals there as well", async ({ path }) => {
  const { made } = await sealsOf(1);
  const { objects, keys: given, url } = bucket();
  const script = `
    import { Secret } from "./src/core/secret.ts";
    import { createS3Anchor } from "./src/ports/anchor/s3.ts";
    const [url, jws, region, id, secret] = process.argv.slice(1);
    await createS3Anchor({ url, region, accessKeyId: new Secret(id), secretAccessKey: new Secret(secret) }).put(jws);`;
  const args = [url, made[0], given.region, given.accessKeyId, given.secretAccessKey];
  const child = Bun.spawn(
    [path, "--experimental-strip-types", "--no-warnings", "--input-type=module", "-e", script, ...args],
    {
      cwd: new URL("../..", import.meta.url).pathname,
      stderr: "pipe",
    },
  );
  expect([await new Response(child.stderr).text(), await child.exited]).toEqual(["", 0]);
  expect([...objects.values()]).toEqual([`${made[0]}\n`]);
});
