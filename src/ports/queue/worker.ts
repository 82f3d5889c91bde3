/**
 * What runs jobs in one process: takes those that are due, a few ahead of what is free, and hands their outcomes on.
 *
 * It is woken by `wake` (a commit of this process, a message of the bus) and looks by itself every second. While the database is away it
 * asks again with growing pauses, and handlers go on; what they answer is recorded when it is back.
 */
import type { Clock } from "../../core/clock.ts";
import { hasCode } from "../../core/error.ts";
import { withTimeout } from "../../core/timeout.ts";
import type { Limits } from "../limits/port.ts";
import type { Log } from "../log/port.ts";
import { announce } from "./announce.ts";
import type { JobHandler } from "./define.ts";
import type { EventSource } from "./events.ts";
import { createIntake } from "./intake.ts";
import { createLease } from "./lease.ts";
import { unended } from "./outcome.ts";
import { createPool } from "./pool.ts";
import type { Consumer, Dispatch } from "./port.ts";
import { createPrefetch } from "./prefetch.ts";
import { createRates } from "./rates.ts";
import { createRelay } from "./relay.ts";
import { createRunner } from "./runner.ts";
import { createSettler } from "./settler.ts";
import type { JobStore } from "./store.ts";
import { createSweep } from "./sweep.ts";

export interface WorkerOptions {
  store: JobStore;
  handlers: readonly JobHandler[];
  dispatch: Dispatch;
  events: EventSource;
  clock: Clock;
  log: Log;
  /** How many jobs run at once. */
  concurrency: number;
  /** For types that declare a rate. */
  limits?: Limits;
  /** Told when there is more to do than fits here: other processes may be idle. */
  onSurplus?: () => void;
  /** From 0 up to 1; for pauses. */
  random?: () => number;
}

export type Worker = ReturnType<typeof createWorker>;

const POLL_MS = 1000;
/** After how long a carrier is given more that was just given some: its window has moved on by then. */
const REFILL_MS = 100;
const PROGRESS_MS = 500;
const MAX_PAUSE_MS = 5000;

export function createWorker(options: WorkerOptions) {
  const {
    store,
    dispatch,
    events,
    clock,
    log,
    concurrency,
    limits,
    onSurplus = () => {},
    random = Math.random,
  } = options;
  const handlers = byName(options);

  let stopping = false;
  let turn: () => void = () => {};

  const runner = createRunner({ clock, log, random });
  const settler = createSettler({
    store,
    clock,
    log,
    onSettled(outcome, accepted) {
      const ending = pool.recorded(outcome.id);
      if (ending) announce({ events, log, clock }, ending, outcome, accepted);
      // Its group has a place again.
      if (ending && handlers.get(ending.job.name)?.type.group?.concurrency !== undefined) turn();
      if (!accepted || outcome.state !== "waiting") return;
      // It was given back: whoever has a place may take it.
      intake.expect();
      onSurplus();
    },
  });
  const prefetch = createPrefetch({ random });
  const pool = createPool({
    handlers,
    concurrency,
    prefetch,
    runner,
    settler,
    events,
    clock,
    onFree() {
      if (intake.hasMore() && !intake.isClaiming() && pool.isLow()) turn();
    },
  });
  const lease = createLease({
    store,
    clock,
    log,
    names: [...handlers.keys()],
    concurrency,
    dispatch: dispatch.name,
    holds: (id) => pool.holds(id) || settler.has(id),
    mark: () => intake.newest(),
    isOver: (mark) => intake.areOver(mark),
    give: (id, attempt, workerId) => settler.add({ ...unended({ id, attempt }), workerId }),
    taken: () => pool.taken(),
    lost(workerId, kept, upTo) {
      pool.keepOnly(workerId, kept, upTo);
      turn();
    },
  });
  const sweep = createSweep({ store, clock, log, events, random, self: () => lease.current() });
  const types = options.handlers.map(({ type }) => type);
  const relay = dispatch.carrier && createRelay({ store, carrier: dispatch.carrier, clock, log, types });

  const intake = createIntake({
    store,
    pool,
    lease,
    rates: createRates({ limits, clock, log }),
    prefetch,
    settler,
    clock,
    handlers,
    relay,
    onSurplus,
  });

  /** Until it is woken, or the time is up. */
  const rest = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      turn = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  async function loop() {
    let failures = 0;
    while (!stopping) {
      let woken = false;
      turn = () => {
        woken = true;
      };
      try {
        const found = await intake.claim();
        const sent = relay ? await relay.handOver() : 0;
        const goesOn = () => woken || stopping || (found > 0 && intake.hasMore() && pool.isLow());
        // What has just become due starts a statement earlier when it is claimed before anything else is looked after.
        const dueIn = goesOn() && !sweep.isDue() ? 0 : await sweep.tick();
        if (failures > 0) log.info({}, "the worker goes on");
        failures = 0;
        if (goesOn()) continue;
        await rest(Math.min((sent > 0 ? REFILL_MS : POLL_MS) * (0.9 + 0.2 * random()), dueIn));
      } catch (err) {
        if (stopping) return;
        failures++;
        if (!hasCode(err, "unavailable")) log.error({ err }, "the worker could not look for jobs");
        else if (failures === 1) log.warn({ err }, "the worker waits for the database");
        await rest(Math.min(100 * 2 ** Math.min(failures, 10), MAX_PAUSE_MS) * (0.5 + random() / 2));
      }
    }
  }

  const settled = async () => {
    await pool.idle();
    await settler.idle();
  };

  let looping: Promise<void> = Promise.resolve();
  let progressTimer: ReturnType<typeof setInterval> | null = null;
  const consumer: Consumer = { concurrency, deliver: intake.deliver };

  return {
    consumer,
    hasRoom: (): boolean => pool.hasRoom(),
    /** Jobs may be due. */
    wake(): void {
      intake.expect();
      turn();
    },
    /** The job was cancelled, which may be held here. */
    cancelled: (id: string): void => pool.cancel(id),
    /** Begins to look for jobs. */
    async start(): Promise<void> {
      progressTimer = setInterval(() => void settler.flushProgress().catch(() => {}), PROGRESS_MS);
      looping = loop();
      await dispatch.carrier?.listen?.(consumer);
    },
    /**
     * Looks once, runs what it found to its recorded end, and answers how many that were, those included that a carrier was given. For
     * tests, and where nothing runs between calls.
     */
    async runOnce(): Promise<number> {
      await lease.beat();
      await sweep.all();
      const found = await intake.claim();
      try {
        return found + (relay ? await relay.runOnce() : 0);
      } finally {
        await settled();
      }
    },
    settled,
    beat: (): Promise<void> => lease.beat(),
    /** Takes no more, waits for what runs, gives back what does not end within the time, and gives up its lease. */
    async stop(graceMs: number): Promise<void> {
      const until = performance.now() + graceMs;
      const left = () => Math.max(0, until - performance.now());
      stopping = true;
      turn();
      // Whatever fails or takes too long, what comes after it is still done.
      const patiently = (work: Promise<unknown>, ms: number) => withTimeout(work, ms).catch(() => {});
      await patiently(Promise.all([looping, dispatch.carrier?.quiet?.()]), left());
      pool.clear();
      await patiently(settled(), left());
      pool.stopAll("stopping");
      await patiently(settled(), LAST_MS);
      if (progressTimer) clearInterval(progressTimer);
      settler.drop();
      await withTimeout(lease.leave(), LAST_MS).catch((err) =>
        log.warn({ err }, "the lease of the worker could not be given up: it runs out"),
      );
    },
  };
}

/** How long the record may take for what is given back. */
const LAST_MS = 1000;

function byName({ handlers, limits }: WorkerOptions): ReadonlyMap<string, JobHandler> {
  const known = new Map<string, JobHandler>();
  for (const handler of handlers) {
    const { name, group } = handler.type;
    if (known.has(name)) throw new Error(`Job ${name} has two handlers`);
    if (group?.rate && !limits) throw new Error(`Job ${name} has a rate, and no limits to count it with`);
    known.set(name, handler);
  }
  return known;
}
