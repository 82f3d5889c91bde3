/**
 * Tells each alert once when it is raised and once when it has cleared, over any number of instances, by the rows of `alerts`.
 *
 * It is not a job that tells: an alert that the queue stands still must not wait in that queue. Each look tells what is to be told; whoever
 * moves the row's `turn` on may try, and nobody else until `tellAt`. So a message that could not be delivered, or whose process died, is
 * tried again by whichever instance looks then, after 20 s, then 40 s and so on up to 10 minutes, for as long as there is something to tell.
 */
import { and, eq, isNotNull, isNull, lte, sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import { type Clock, fromInstant, type Instant, toInstant } from "../../core/clock.ts";
import { idPrefixes, newId } from "../../core/id.ts";
import type { Alerts } from "../../ports/alert/port.ts";
import { placeholders, value } from "../../ports/db/placeholders.ts";
import type { Builders, Db } from "../../ports/db/port.ts";
import type { Log } from "../../ports/log/port.ts";
import type { Finding } from "./alert-rules.ts";

type Row = Tables["alerts"]["$inferSelect"];

/** How often is looked. */
const LOOK_MS = 15_000;
/** So long it has not been found before it is cleared: rates are written a second late, and instances do not look together. */
const CLEAR_MS = 40_000;
const FIRST_RETRY_MS = 20_000;
const MAX_RETRY_MS = 600_000;
const MAX_HELD = 500;

const held = (q: Builders, { alerts }: Tables) => q.select().from(alerts).orderBy(alerts.id).limit(MAX_HELD);

const insert = (q: Builders, { alerts }: Tables) =>
  q
    .insert(alerts)
    .values(placeholders(alerts))
    .onConflictDoNothing({ target: [alerts.kind, alerts.subject] });

const mine = ({ alerts }: Tables) =>
  and(eq(alerts.id, sql.placeholder("id")), eq(alerts.turn, sql.placeholder("seen") as never));

const due = (q: Builders, { alerts }: Tables) =>
  q
    .select()
    .from(alerts)
    .where(and(isNotNull(alerts.tellAt), lte(alerts.tellAt, value("now", alerts.tellAt))))
    .orderBy(alerts.id)
    .limit(MAX_HELD);

/** Writes the next state of a row that is still as it was seen. */
const move = (q: Builders, tables: Tables) =>
  q
    .update(tables.alerts)
    .set({
      turn: sql`turn + 1`,
      toldAt: value("toldAt", tables.alerts.toldAt),
      clearedAt: value("clearedAt", tables.alerts.clearedAt),
      tellAt: value("tellAt", tables.alerts.tellAt),
    })
    .where(mine(tables))
    .returning({ turn: tables.alerts.turn });

/** It still holds. That is no turn: whoever tells it meanwhile goes on. */
const touch = (q: Builders, { alerts }: Tables) =>
  q
    .update(alerts)
    .set({ seenAt: value("seenAt", alerts.seenAt), detail: value("detail", alerts.detail) as never })
    .where(and(eq(alerts.id, sql.placeholder("id")), isNull(alerts.clearedAt)));

const remove = (q: Builders, tables: Tables) =>
  q.delete(tables.alerts).where(mine(tables)).returning({ id: tables.alerts.id });

interface Options {
  db: Db;
  alerts: Alerts;
  clock: Clock;
  log: Log;
  find: (now: Instant) => Promise<Finding[]>;
}

export type AlertWatch = ReturnType<typeof createAlertWatch>;

export function createAlertWatch({ db, alerts, clock, log, find }: Options) {
  let looking: Promise<void> = Promise.resolve();
  let timer: ReturnType<typeof setTimeout> | null = null;
  let broken = false;
  const stopping = new AbortController();

  const at = () => toInstant(clock.now());
  const after = (ms: number) => toInstant(clock.now() + ms);
  const keyOf = ({ kind, subject }: { kind: string; subject: string }) => `${kind} ${subject}`;

  /** Answers the row's new turn; null where another instance was first. */
  async function change(row: Row, changes: Partial<Row>): Promise<number | null> {
    const [rows] = await db.atomic((tx) => [tx.prepare(move)({ ...row, ...changes, seen: row.turn })]);
    return rows[0]?.turn ?? null;
  }

  async function compare(): Promise<void> {
    const now = at();
    const findings = await find(now);
    const rows = await db.all(db.prepare(held)(), { fresh: true });
    const known = new Map(rows.map((row) => [keyOf(row), row]));
    const found = new Set<string>();
    for (const { kind, subject, message, detail } of findings) {
      const key = keyOf({ kind, subject });
      found.add(key);
      const row = known.get(key);
      const told = { ...detail, message };
      if (!row) await raise(kind, subject, told, now);
      // One that is being cleared goes first, and is raised anew then.
      else if (row.clearedAt === null && row.seenAt < after(-LOOK_MS / 2))
        await db.atomic((tx) => [tx.prepare(touch)({ id: row.id, seenAt: now, detail: told })]);
    }
    for (const row of rows) {
      if (found.has(keyOf(row)) || row.clearedAt !== null || row.seenAt > after(-CLEAR_MS)) continue;
      // While nobody has tried to tell it, nobody has to be told that it is over.
      if (row.turn === 0) await db.atomic((tx) => [tx.prepare(remove)({ id: row.id, seen: row.turn })]);
      else await change(row, { clearedAt: now, tellAt: now });
    }
  }

  async function raise(kind: string, subject: string, detail: Record<string, unknown>, now: Instant): Promise<void> {
    const row: Row = {
      id: newId(idPrefixes.alert),
      createdAt: now,
      kind,
      subject,
      detail,
      seenAt: now,
      toldAt: null,
      clearedAt: null,
      turn: 0,
      tellAt: now,
    };
    await db.atomic((tx) => [tx.prepare(insert)({ ...row })]);
  }

  async function tell(row: Row): Promise<void> {
    // A lost turn costs one retry; the pause grows with how long it has been tried.
    const triedMs = clock.now() - fromInstant(row.clearedAt ?? row.createdAt);
    const pause = Math.min(MAX_RETRY_MS, Math.max(FIRST_RETRY_MS, triedMs));
    const turn = await change(row, { tellAt: after(pause) });
    if (turn === null) return;
    const { id, kind, subject, createdAt: since } = row;
    const { message, ...detail } = row.detail as { message: string };
    const state = row.clearedAt === null ? "raised" : "cleared";
    const said = state === "raised" ? message : `Cleared: ${message}`;
    try {
      const messageId = `${id}.${state}`;
      const alert = { id, messageId, state, kind, subject, message: said, detail, since, at: at() } as const;
      await alerts.tell(alert, stopping.signal);
    } catch (err) {
      log.warn({ err, alert: id, kind, subject, state }, "an alert could not be told, and will be told again");
      return;
    }
    if (alerts.driver !== "log") log.info({ alert: id, kind, subject, state }, "an alert was told");
    if (state === "cleared") await db.atomic((tx) => [tx.prepare(remove)({ id, seen: turn })]);
    else await change({ ...row, turn }, { toldAt: at(), tellAt: null });
  }

  async function lookOnce(): Promise<void> {
    await compare();
    for (const row of await db.all(db.prepare(due)({ now: at() }), { fresh: true })) {
      if (stopping.signal.aborted) return;
      await tell(row);
    }
  }

  /** Looks once, and tells what is to be told. Calls queue up. */
  function look(): Promise<void> {
    looking = looking.catch(() => {}).then(lookOnce);
    return looking;
  }

  async function lookAgain(): Promise<void> {
    try {
      await look();
      broken = false;
    } catch (err) {
      // The database is away, which others tell.
      if (!broken) log.warn({ err }, "alerts could not be looked for");
      broken = true;
    }
    plan();
  }

  function plan(): void {
    if (!stopping.signal.aborted) timer = setTimeout(lookAgain, LOOK_MS);
  }

  return {
    look,
    /** Looks by itself: 15 s after the last look has ended, however long a receiver has held that up. */
    start(): void {
      if (timer === null) plan();
    },
    /** Ends what is being told: whoever else looks, or looks next, tells it again. */
    async stop(): Promise<void> {
      stopping.abort();
      if (timer) clearTimeout(timer);
      await looking.catch(() => {});
    },
  };
}
