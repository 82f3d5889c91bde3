/**
 * Runs the Worker in workerd. Under Bun wrangler's harness cannot reach it, so this is a Node process of its own, which ends when its
 * standard input does. It takes one JSON value a line, the first its options, and answers each with one.
 */
import { dirname, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { createTestHarness } from "wrangler";
import { seed } from "../../db/seed.ts";
import { systemClock } from "../../src/core/clock.ts";
import { Secret } from "../../src/core/secret.ts";
import { createD1Client, type D1Database } from "../../src/ports/db/d1.ts";
import { createSqliteDb } from "../../src/ports/db/sqlite.ts";
import { createNodePasswords } from "../../src/ports/passwords/node.ts";
import type { HarnessOptions, Question } from "./workerd.ts";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const print = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);

const { root, config, admin }: HarnessOptions = JSON.parse((await lines.next()).value ?? "");

// In the project's own folder wrangler would give the Worker what `.dev.vars` and `.env` say there.
const folder = dirname(config.assets.directory);
const main = join(root, config.main);
const harness = createTestHarness({ root: folder, workers: [{ config: { ...config, main } as never }] });
const { url } = await harness.listen();
interface Bucket {
  put(key: string, text: string): Promise<unknown>;
  list(): Promise<{ objects: { key: string }[] }>;
  get(key: string): Promise<{ text(): Promise<string> } | null>;
}
const worker = harness.getWorker<{ DB?: D1Database; SEALS?: Bucket }>();
const { DB, SEALS } = await worker.getEnv();
if (DB) {
  await worker.applyD1Migrations("DB");
  await seed(createSqliteDb("d1", createD1Client(DB)), {
    passwords: await createNodePasswords(),
    clock: systemClock,
    mode: "test",
    admin: { email: admin.email, password: new Secret(admin.password) },
    samples: false,
  });
}
print({ value: { url: url.href.replace(/\/$/, "") } });

async function answer(question: Question): Promise<unknown> {
  if (question.ask === "logs") return harness.getLogs().map(({ level, message }) => ({ level, message }));
  if (question.ask === "seals") {
    for (const [key, text] of Object.entries(question.put)) await SEALS?.put(key, text);
    const { objects } = (await SEALS?.list()) ?? { objects: [] };
    return Object.fromEntries(
      await Promise.all(objects.map(async ({ key }) => [key, await (await SEALS?.get(key))?.text()])),
    );
  }
  if (question.ask === "tick") return worker.scheduled({ cron: "* * * * *", scheduledTime: new Date() });
  if (!DB) throw new Error("this Worker has no D1");
  const [first] = await DB.batch([DB.prepare(question.text).bind(...question.params)]);
  return first?.results ?? [];
}

for (let line = await lines.next(); !line.done; line = await lines.next()) {
  await answer(JSON.parse(line.value)).then(
    (value) => print({ value }),
    (error) => print({ error: String(error) }),
  );
}
await harness.close();
process.exit(0);
