/** SQL beside the verbs on the tables that the trail tells of beside users: told with each change that matters, and a verb's change told once. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { getTableColumns, getTableName, type Table } from "drizzle-orm";
import { embeddedSql } from "../../db/sql.gen.ts";
import { isSecret, pgTables } from "../../db/tables.ts";
import { systemClock } from "../../src/core/clock.ts";
import { newId } from "../../src/core/id.ts";
import { authJobs, sweepSessions } from "../../src/modules/auth/jobs.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { capabilities, type Db } from "../../src/ports/db/port.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { createScheduler } from "../../src/ports/schedule/scheduler.ts";
import { schedules } from "../../src/schedules.ts";
import { type Opened, openPglite, openPostgres, openSqlite } from "../helpers/databases.ts";
import { serverAnswers } from "../helpers/postgres.ts";
import { entriesOf, run } from "./audit.ts";

const DAY = 86_400_000;
const at = (ms: number) => new Date(Date.now() + ms).toISOString();

/** A row that is made, changed and deleted by hand, with what each leaves. */
interface Hand {
  id: string;
  /** The statements, and what the entry of each tells: its verb, and the old and new values of what changed. Null: none. */
  deeds: [sql: string, told: { action: string; oldValue: unknown; newValue: unknown } | null][];
}

async function someone(db: Db): Promise<{ user: string; session: string }> {
  const [user, session] = [newId("user"), newId("sess")];
  await run(db, `insert into users (id, email, name, role) values ('${user}', '${user}@x', 'Ada', 'user')`);
  await run(db, insertSession(session, user, at(DAY)));
  return { user, session };
}
const insertSession = (id: string, user: string, until: string) =>
  `insert into sessions (id, user_id, expires_at, idle_at) values ('${id}', '${user}', '${until}', '${until}')`;

const hands: Record<string, (db: Db) => Promise<Hand>> = {
  async "a session"(db) {
    const { user } = await someone(db);
    const id = newId("sess");
    const row = `where id = '${id}'`;
    return {
      id,
      deeds: [
        [insertSession(id, user, at(DAY)), told("session.create", null, { userId: user, revokedAt: null })],
        [`update sessions set idle_at = '${at(2 * DAY)}' ${row}`, null],
        [`update sessions set address = 'elsewhere' ${row}`, null],
        [
          `update sessions set revoked_at = '${at(0)}', version = version + 1 ${row}`,
          told("session.update", { revokedAt: null }, { revokedAt: any }),
        ],
        [
          `update sessions set revoked_at = null ${row}`,
          told("session.update", { revokedAt: any }, { revokedAt: null }),
        ],
        [`delete from sessions ${row}`, told("session.delete", { userId: user }, null)],
      ],
    };
  },
  async "a session that has ended"(db) {
    const { user } = await someone(db);
    const id = newId("sess");
    return {
      id,
      deeds: [
        [insertSession(id, user, at(-DAY)), told("session.create", null, { userId: user })],
        [`delete from sessions where id = '${id}'`, null],
      ],
    };
  },
  async "a refresh token"(db) {
    const { session } = await someone(db);
    const id = newId("rtok");
    const row = `where id = '${id}'`;
    return {
      id,
      deeds: [
        [
          `insert into refresh_tokens (id, session_id, token_hash) values ('${id}', '${session}', 'hash-1-${id}')`,
          told("refresh-token.create", null, { sessionId: session, tokenHash: "[changed]", usedAt: null }),
        ],
        [`update refresh_tokens set used_at = '${at(0)}' ${row}`, null],
        [
          `update refresh_tokens set used_at = null ${row}`,
          told("refresh-token.update", { usedAt: any }, { usedAt: null }),
        ],
        [
          `update refresh_tokens set token_hash = 'hash-2-${id}' ${row}`,
          told("refresh-token.update", { tokenHash: "[changed]" }, { tokenHash: "[changed]" }),
        ],
        [`delete from refresh_tokens ${row}`, null],
      ],
    };
  },
  async "a rule"() {
    const id = newId("rule");
    const values = `'${id}', 'role', 'user', 'User', '["read"]', '{"id": {"$actor": "id"}}', false, 1`;
    return {
      id,
      deeds: [
        [
          `insert into policy_rules (id, scope_type, scope_id, subject, actions, conditions, inverted, priority) values (${values})`,
          told("policy-rule.create", null, {
            ...{ scopeType: "role", scopeId: "user", actions: ["read"], fields: null, priority: 1, inverted: false },
            conditions: { id: { $actor: "id" } },
          }),
        ],
        [
          `update policy_rules set actions = '["manage"]', conditions = null where id = '${id}'`,
          told(
            "policy-rule.update",
            { actions: ["read"], conditions: { id: { $actor: "id" } } },
            { actions: ["manage"], conditions: null },
          ),
        ],
        [`delete from policy_rules where id = '${id}'`, told("policy-rule.delete", { actions: ["manage"] }, null)],
      ],
    };
  },
  async "a queue"() {
    const id = `q-${newId("job")}`;
    return {
      id,
      deeds: [
        [
          `insert into job_queues (id, paused_at) values ('${id}', '${at(0)}')`,
          told("queue.create", null, { pausedAt: any }),
        ],
        [
          `update job_queues set paused_at = null where id = '${id}'`,
          told("queue.update", { pausedAt: any }, { pausedAt: null }),
        ],
        [
          `update job_queues set paused_at = '${at(0)}' where id = '${id}'`,
          told("queue.update", { pausedAt: null }, { pausedAt: any }),
        ],
        [`delete from job_queues where id = '${id}'`, told("queue.delete", { pausedAt: any }, null)],
      ],
    };
  },
  async "a schedule"() {
    const id = `s.${newId("job")}`;
    const row = `where id = '${id}'`;
    return {
      id,
      deeds: [
        [
          `insert into schedules (id, pattern, timezone, job_name) values ('${id}', '* * * * *', 'UTC', 'test.job')`,
          null,
        ],
        [`update schedules set last_at = '${at(0)}', turn = turn + 1 ${row}`, null],
        [
          `update schedules set paused_at = '${at(0)}' ${row}`,
          told("schedule.update", { pausedAt: null }, { pausedAt: any }),
        ],
        [
          `update schedules set paused_at = null ${row}`,
          told("schedule.update", { pausedAt: any }, { pausedAt: null }),
        ],
        [`update schedules set paused_at = '${at(0)}' ${row}`, told("schedule.update", { pausedAt: null }, any)],
        [`delete from schedules ${row}`, told("schedule.delete", { jobName: "test.job" }, null)],
      ],
    };
  },
};
const any = expect.anything();
const told = (action: string, oldValue: unknown, newValue: unknown) => ({ action, oldValue, newValue });

function contract(name: string, open: () => Promise<Opened>) {
  describe(name, () => {
    let opened: Opened;
    let db: Db;
    beforeAll(async () => {
      opened = await open();
      db = opened.db;
    }, 30_000);
    afterAll(() => opened?.done());
    const count = async () => (await byHand(db)).length;

    for (const [what, make] of Object.entries(hands))
      test(`${what} that is changed by hand has an entry for each change that matters`, async () => {
        const { id, deeds } = await make(db);
        const actorId = capabilities[db.engine].namesRoles ? "postgres" : null;
        for (const [sql, expected] of deeds) {
          const before = new Set((await entriesOf(db, id)).map((entry) => entry.id));
          await run(db, sql);
          const entries = (await entriesOf(db, id)).filter((entry) => !before.has(entry.id));
          expect([sql, entries.length]).toEqual([sql, expected ? 1 : 0]);
          const [entry] = entries;
          if (!entry || !expected) continue;
          expect(entry).toMatchObject({ actorType: "database", actorId, ...expected });
          if (expected.oldValue !== null && expected.newValue !== null)
            expect(Object.keys(entry.oldValue ?? {})).toEqual(Object.keys(expected.oldValue as object));
          expect(JSON.stringify(entry)).not.toMatch(/hash-[12]/);
        }
      });

    test("what jobs sweep and the clock moves is nobody's change by hand", async () => {
      const { user } = await someone(db);
      const session = newId("sess");
      await run(db, insertSession(session, user, at(-30 * DAY)));
      await run(
        db,
        `insert into refresh_tokens (id, session_id, token_hash) values ('${newId("rtok")}', '${session}', '${session}')`,
      );
      const before = await count();
      const sweep = authJobs({ db }).find(({ type }) => type.name === sweepSessions.name);
      const by = { jobId: "job_1", attempt: 1, actor: { type: "system", id: "test" }, traceId: null, requestId: null };
      const signal = new AbortController().signal;
      expect(await sweep?.run({} as never, { ...by, now: at(0), signal, progress() {} } as never)).toEqual({
        deleted: 1,
      });
      const log = createConsoleLog({ level: "silent", print: () => {} });
      const scheduler = createScheduler({ db, clock: systemClock, log, schedules });
      await scheduler.tick();
      await scheduler.tick();
      expect(await count()).toBe(before);
    });

    test("to truncate one of these tables is refused", async () => {
      if (db.dialect !== "pg") return;
      for (const table of ["sessions", "refresh_tokens", "policy_rules", "job_queues", "schedules"])
        await expect(run(db, `truncate ${table} cascade`)).rejects.toThrow("is told of by the audit trail");
    });
  });
}

const byHand = (db: Db) =>
  db.exclusively((script) => script("select id from audit_entries where actor_type = 'database'", []));

contract("PGlite", () => openPglite("memory", openBunSqlite));
contract("bun:sqlite", () => openSqlite("memory", openBunSqlite));
if (await serverAnswers()) contract("PostgreSQL", openPostgres);

/** PostgreSQL's trigger reads the row as it is; SQLite's name each column, and would be silent about one that is added later. */
test("the triggers of SQLite tell of every column, and of a secret one only that it changed", () => {
  const triggers = embeddedSql.sqlite.objects.flatMap(({ sql }) => sql.split("drop trigger if exists"));
  const { users, sessions, refreshTokens, policyRules, jobQueues, schedules } = pgTables;
  for (const table of [users, sessions, refreshTokens, policyRules, jobQueues, schedules] as Table[]) {
    const made = triggers.find((text) => text.includes(` after insert on ${getTableName(table)}\n`));
    for (const [key, column] of Object.entries(getTableColumns(table))) {
      if (["id", "createdAt", "updatedAt", "version"].includes(key)) continue;
      const snake = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      expect(made).toContain(`'${key}', `);
      if (isSecret(column)) expect(made).not.toMatch(new RegExp(`[('] *new\\.${snake}\\)`));
    }
  }
});
