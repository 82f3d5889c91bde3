/** A server that is killed in the middle of writes and started again on the same data. */
import { expect, test } from "bun:test";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { createPglite } from "../../src/ports/db/pglite.ts";
import type { Client } from "../helpers/client.ts";
import { serverAnswers } from "../helpers/postgres.ts";
import { commandOf, startServer } from "../helpers/server.ts";
import { openStore, type Store } from "../helpers/store.ts";
import { engineNames, runtimeNames } from "./cells.ts";
import { environment } from "./settings.ts";
import { newEmail, openWorld, unique, type World } from "./world.ts";

const LIMIT_MS = 60_000;
/** Each engine once, and the driver of SQLite that is Node's own. */
const pairs = [
  ["bun", "pglite"],
  ["bun", "postgres"],
  ["bun", "sqlite"],
  ["node24", "sqlite"],
] as const;
const hasPostgres = await serverAnswers();

const NAME = "Survivor";
const ANSWERED = 60;

interface Write {
  key: string;
  email: string;
  /** The answer's body; null when the server was killed before it answered. */
  answer: string | null;
}

const send = (api: Client, { key, email }: Write) =>
  api("POST", "/v1/users", { body: { email, name: NAME }, headers: { "idempotency-key": key } });

/** Writes from eight sides until the server is gone. */
async function writeUntilGone(world: World, writes: Write[]): Promise<void> {
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (;;) {
        const write: Write = { key: unique(), email: newEmail(), answer: null };
        writes.push(write);
        try {
          write.answer = (await send(world.admin.api, write)).text;
        } catch {
          return;
        }
      }
    }),
  );
}

async function everybody(api: Client): Promise<{ id: string; email: string; name: string }[]> {
  const rows = [];
  for (let path: string | null = "/v1/users?limit=100"; path !== null; ) {
    const { data, json } = await api("GET", path);
    rows.push(...data);
    path = json.meta.page.next && `/v1/users?limit=100&cursor=${json.meta.page.next}`;
  }
  return rows;
}

/** The entries of a PGlite directory can be read when no server has it open. */
async function entitiesOf(store: Store): Promise<unknown[]> {
  const text = "select entity_id from audit_entries where action = 'user.create'";
  if (store.query) return (await store.query(text)).map((row) => row.entity_id);
  const pglite = await createPglite({ dir: store.url.slice("pglite:".length), openLock: openBunSqlite });
  const rows = await pglite.query({ text, params: [] } as never);
  await pglite.close();
  return rows.map(([id]) => id);
}

for (const [runtime, engine] of pairs) {
  const found = commandOf(runtime);
  const why =
    "missing" in found ? found.missing : engine === "postgres" && !hasPostgres ? "no PostgreSQL server answers" : "";
  test.skipIf(why !== "")(
    `kill -9 of ${runtimeNames[runtime]} in the middle of writes to ${engineNames[engine]} loses none that was answered, each has its audit entry, and sending again makes none twice ${why}`,
    async () => {
      const store = await openStore(engine);
      const cell = { runtime, engine };
      const begin = async () => {
        const server = await startServer({ runtime, database: store.url, env: environment });
        const log = { output: async () => server.output(), lines: async () => server.lines(), line: server.line };
        return { server, world: await openWorld({ cell, url: server.url, query: store.query, log }) };
      };
      const first = await begin();
      const writes: Write[] = [];
      const done = writeUntilGone(first.world, writes);
      while (writes.filter(({ answer }) => answer !== null).length < ANSWERED)
        await first.world.guest()("GET", "/livez");
      first.server.kill("SIGKILL");
      await Promise.all([first.server.exited, done]);

      const answered = writes.filter(({ answer }) => answer !== null);
      const pending = writes.filter(({ answer }) => answer === null);
      expect(answered.length).toBeGreaterThanOrEqual(ANSWERED);
      expect(pending.length).toBeGreaterThan(0);

      const { server, world } = await begin();
      // Sessions outlive the process too, and answers that were kept are given again.
      const { admin } = first.world;
      const again = admin.api.at(world.url);
      for (const write of answered.slice(-20)) {
        const replay = await send(again, write);
        expect([replay.status, replay.headers.get("idempotent-replayed"), replay.text]).toEqual([
          201,
          "true",
          write.answer ?? "",
        ]);
      }
      for (const write of pending) {
        const answers = [await send(again, write), await send(again, write)];
        expect(answers.map(({ status, text }) => [status, text])).toEqual(Array(2).fill([201, answers[0]?.text]));
        write.answer = answers[0]?.text ?? "";
      }
      const ids = writes.map(({ answer }) => JSON.parse(answer ?? "").data.id as string);
      const made = (await everybody(again)).filter(({ name }) => name === NAME);
      expect(made.map(({ id, email }) => `${id} ${email}`).toSorted()).toEqual(
        writes.map(({ email }, i) => `${ids[i]} ${email}`).toSorted(),
      );
      expect((await server.stop()).code).toBe(0);

      const entities = await entitiesOf(store);
      const counted = ids.map((id) => entities.filter((entity) => entity === id).length);
      expect(counted).toEqual(ids.map(() => 1));
      await store.remove();
    },
    LIMIT_MS,
  );
}
