/** Seals that a Worker keeps besides its database: in R2, which this machine has the real thing of, and in a bucket of S3's protocol. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { newId } from "../../src/core/id.ts";
import { openSeal } from "../../src/modules/audit/seal.ts";
import { generateKeys, importKeys } from "../../src/modules/auth/keys.ts";
import { type Bucket, startS3 } from "../helpers/s3.ts";
import { startWorker, type Worker } from "../helpers/workerd.ts";

const auditKeys = await generateKeys();
let s3: Bucket;
let worker: Worker;
beforeAll(async () => {
  s3 = startS3();
  worker = await startWorker({
    database: "d1",
    vars: {
      AUDIT_KEYS: JSON.stringify({ keys: auditKeys }),
      AUDIT_ANCHORS: `r2:, s3:${s3.url}`,
      AUDIT_S3_REGION: s3.keys.region,
      AUDIT_S3_ACCESS_KEY_ID: s3.keys.accessKeyId,
      AUDIT_S3_SECRET_ACCESS_KEY: s3.keys.secretAccessKey,
    },
  });
}, 60_000);
afterAll(async () => {
  await worker?.stop();
  await s3?.stop();
});

async function runJob(name: string, input: object): Promise<void> {
  const now = new Date().toISOString();
  await worker.query(
    `insert into jobs (id, created_at, name, queue, state, rank, run_at, input, input_version, attempt, max_attempts)
     values (?, ?, ?, 'default', 'waiting', 0, ?, ?, 1, 0, 1)`,
    [newId("job"), now, name, now, JSON.stringify(input)],
  );
}

const settled = async () => {
  for (let i = 0; i < 10; i++) {
    await worker.tick();
    const left = await worker.query(
      "select id from jobs where name like 'audit.%' and state not in ('done', 'failed')",
    );
    if (left.length === 0) return;
  }
  throw new Error("the jobs do not end");
};

test("each seal is an object in both, which is written once", async () => {
  await runJob("audit.seal", {});
  await settled();
  const kept = await worker.seals();
  const [[name = "", text = ""] = []] = Object.entries(kept);
  expect(name).toMatch(/^000000001-[\da-f]{32}\.jws$/);
  const { verifiers } = await importKeys(auditKeys);
  expect(await openSeal(verifiers, text.trim())).toMatchObject({ number: 1, pruned: 0 });
  expect(Object.fromEntries(s3.objects)).toEqual({ [`/bucket/seals/${name}`]: text });

  // Whatever has the name of a seal stays as it is.
  await worker.seals({ [name]: "something else" });
  for (const anchor of ["r2:SEALS", `s3:${s3.url.slice("http://".length)}`])
    await runJob("audit.anchor", { anchor, jws: text.trim() });
  await settled();
  expect(await worker.seals()).toEqual({ [name]: "something else" });
  expect(s3.refused).toEqual([[`/bucket/seals/${name}`, 412]]);
  const failed = await worker.query("select error from jobs where name = 'audit.anchor' and state <> 'done'");
  expect(failed).toEqual([]);
}, 60_000);
