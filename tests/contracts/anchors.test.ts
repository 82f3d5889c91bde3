/** Seals reach their anchors: with the seal, once it has committed, and again where it failed. */
import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Secret } from "../../src/core/secret.ts";
import { auditJobs, sealEntries } from "../../src/modules/audit/jobs.ts";
import { openSeal } from "../../src/modules/audit/seal.ts";
import { createFileAnchor } from "../../src/ports/anchor/node-file.ts";
import type { Anchor } from "../../src/ports/anchor/port.ts";
import { createWebhookAnchor } from "../../src/ports/anchor/webhook.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import type { JobContext } from "../../src/ports/queue/define.ts";
import { openSqlite, temporaryFolder } from "../helpers/databases.ts";
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
