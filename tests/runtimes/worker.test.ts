/** What is particular to Workers; all else is told by tests/conformance, which runs on them too. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { embeddedSql } from "../../db/sql.gen.ts";
import { adminSql } from "../../scripts/d1-seed.ts";
import { Secret } from "../../src/core/secret.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { migrate } from "../../src/ports/db/migrate.ts";
import { createSqliteDb } from "../../src/ports/db/sqlite.ts";
import { createFileClient } from "../../src/ports/db/sqlite-file.ts";
import { createNativePasswords } from "../../src/ports/passwords/native.ts";
import { type OwnDatabase, ownDatabase, serverAnswers } from "../helpers/postgres.ts";
import { proxyTo } from "../helpers/proxy.ts";
import { startWorker, type Worker } from "../helpers/workerd.ts";

/** The promise of every runtime: an answer, good or bad, within this time. */
const PATIENCE_MS = 8000;

async function logIn({ url, admin }: Worker): Promise<Record<string, string>> {
  const answer = await fetch(`${url}/v1/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(admin),
  });
  expect(answer.status).toBe(200);
  const { data } = (await answer.json()) as { data: { accessToken: string } };
  return { authorization: `Bearer ${data.accessToken}`, "content-type": "application/json" };
}

describe("a Worker that is not configured", () => {
  const canary = "canary-0a1b2c";
  let worker: Worker;
  beforeAll(async () => {
    worker = await startWorker({ database: "d1", vars: { JWT_KEYS: "", NODE_ENV: "production", PROBE_TOKEN: canary } });
  }, 60_000);
  afterAll(() => worker.stop());

  test("answers every request with 503, and logs once what is expected and no value", async () => {
    for (const path of ["/livez", "/v1/me"]) {
      const answer = await fetch(worker.url + path);
      expect(answer.status).toBe(503);
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
      expect(answer.headers.get("retry-after")).toBe("60");
      const text = await answer.text();
      expect(JSON.parse(text)).toMatchObject({ status: 503, code: "unavailable" });
      expect(text).not.toMatch(/JWT_KEYS|PROBE_TOKEN|canary/);
    }
    const logs = await worker.logs();
    expect(logs).toHaveLength(1);
    expect(logs[0]?.level).toBe("error");
    expect(logs[0]?.message).toMatch(/PROBE_TOKEN: expected[\s\S]*JWT_KEYS: expected a value in production/);
    expect(logs[0]?.message).not.toContain(canary);
  });
});

describe("a Worker on D1", () => {
  let worker: Worker;
  beforeAll(async () => {
    worker = await startWorker({ database: "d1" });
  }, 60_000);
  afterAll(() => worker.stop());

  test("the first requests of an isolate may come together", async () => {
    const paths = ["/livez", "/readyz", "/openapi.json", "/docs", "/.well-known/jwks.json", "/version"];
    const answers = await Promise.all([...paths, ...paths, ...paths].map((path) => fetch(worker.url + path)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  });

  test("the script of the API reference is served by the pipeline, and the folder it lies in is not", async () => {
    const page = await (await fetch(`${worker.url}/docs`)).text();
    const [script] = /docs\/scalar-[\d.]+\.js/.exec(page) ?? [];
    const answer = await fetch(`${worker.url}/${script}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(1_000_000);
    const folder = await fetch(`${worker.url}/scalar.js`);
    expect(folder.status).toBe(404);
    expect(folder.headers.get("content-type")).toBe("application/problem+json");
  });

  test("the cron trigger fires what is due, once however often it comes, and records how it ended", async () => {
    await worker.tick();
    const name = "schedules.purge";
    const ago = new Date(Date.now() - 3 * 86_400_000).toISOString();
    await worker.query("update schedules set last_at = ? where id = ?", [ago, name]);
    for (let i = 0; i < 3; i++) await worker.tick();
    const runs = await worker.query("select cause, outcome, job_id from schedule_runs where schedule_name = ?", [name]);
    expect(runs).toEqual([{ cause: "catch-up", outcome: "done", job_id: expect.stringMatching(/^job_/) }]);
  });

  test("the address that the platform tells is the one that stands in the audit trail", async () => {
    const headers = await logIn(worker);
    const user = { email: "one@example.com", name: "One" };
    expect(
      (await fetch(`${worker.url}/v1/users`, { method: "POST", headers, body: JSON.stringify(user) })).status,
    ).toBe(201);
    const [entry] = await worker.query(
      "select a.address from audit_entries a join users u on u.id = a.entity_id where u.email = ? and a.action = 'user.create'",
      ["one@example.com"],
    );
    expect(entry?.address).toBe("127.0.0.1");
  });
});

const hasServer = await serverAnswers();

describe.skipIf(!hasServer)("a Worker on PostgreSQL, through Hyperdrive", () => {
  let database: OwnDatabase;
  let proxy: Awaited<ReturnType<typeof proxyTo>>;
  let worker: Worker;
  let headers: Record<string, string>;

  beforeAll(async () => {
    database = await ownDatabase();
    const target = new URL(database.url);
    proxy = await proxyTo({ host: target.hostname, port: Number(target.port || 5432) });
    target.host = `127.0.0.1:${proxy.port}`;
    worker = await startWorker({ database: { hyperdrive: target.href } });
    headers = await logIn(worker);
  }, 60_000);
  afterAll(async () => {
    await worker.stop();
    await proxy.close();
    await database.drop();
  });

  const me = () => fetch(`${worker.url}/v1/me`, { headers });

  test("fifty requests at once are answered, each with a client of its own, and leave no connection behind", async () => {
    const create = (i: number) =>
      fetch(`${worker.url}/v1/users`, {
        method: "POST",
        headers,
        body: JSON.stringify({ email: `user${i}@example.com`, name: `User ${i}` }),
      });
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 ? create(i) : me())));
    expect(answers.map(({ status }) => status)).toEqual(answers.map((_, i) => (i % 2 ? 201 : 200)));
    // They are given back after the answer.
    while (proxy.open() > 0) await fetch(`${worker.url}/livez`);
  }, 30_000);

  test.each(["refuse", "blackhole"] as const)(
    "while PostgreSQL is away (%s) work is refused in time, and goes on when it is back",
    async (mode) => {
      await proxy.set(mode);
      const began = performance.now();
      const write = { method: "PATCH", headers, body: JSON.stringify({ name: "Somebody" }) };
      const [read, change, ready, alive] = await Promise.all([
        me(),
        fetch(`${worker.url}/v1/me`, write),
        fetch(`${worker.url}/readyz`),
        fetch(`${worker.url}/livez`),
      ]);
      expect(performance.now() - began).toBeLessThan(PATIENCE_MS);
      expect([read, change, ready, alive].map(({ status }) => status)).toEqual([503, 503, 503, 200]);
      expect(read.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
      await proxy.set("pass");
      expect((await me()).status).toBe(200);
      expect((await fetch(`${worker.url}/readyz`)).status).toBe(200);
    },
    30_000,
  );
});

describe("the administrator of a D1 database", () => {
  test("is made by SQL once, can log in, and takes nobody's address", async () => {
    const db = createSqliteDb("sqlite", createFileClient(openBunSqlite(":memory:")));
    await migrate(db, embeddedSql.sqlite);
    const run = (text: string) => db.exclusively((script) => script(text));
    const rows = (text: string) => db.exclusively((script) => script(text, []));
    const password = "O'Neill; drop table users --";
    const admin = { email: "o'neill@example.com", password: new Secret(password) };

    await run((await adminSql(admin)).sql);
    await run((await adminSql({ ...admin, password: new Secret("another password") })).sql);
    const [[email, role, hash] = []] = await rows("select email, role, password_hash from users");
    expect([email, role]).toEqual([admin.email, "admin"]);
    expect(await createNativePasswords().verify(password, String(hash))).toMatchObject({ ok: true });
    expect(await rows("select action, actor_id from audit_entries")).toEqual([["user.create", "seed"]]);

    const made = await adminSql({ email: "second@example.com", password: null });
    expect(made.sql).not.toContain(String(made.password));
    await run(made.sql);
    const [[second] = []] = await rows("select password_hash from users where email = 'second@example.com'");
    expect(await createNativePasswords().verify(String(made.password), String(second))).toMatchObject({ ok: true });
    await db.close();
  });
});
