/**
 * Ids of due jobs, carried by BullMQ on Redis.
 *
 * Redis holds what is on its way and nothing else: an id leaves it when its job has ended, and the record keeps the rest. Losing Redis, or
 * all that is in it, loses time alone: what still waits is sent again (relay.ts).
 *
 * An id that is on its way is not taken a second time with the same number of attempts. Jobs go by priority, then in the order in which they
 * were sent, over all names; priorities beyond ±1,048,575 count as that.
 */
import { Queue, Worker } from "bullmq";
import type { Redis, RedisOptions } from "ioredis";
import { hasCode, unavailable } from "../../core/error.ts";
import { reconnectOnError } from "../../core/redis.ts";
import { pause, withTimeout } from "../../core/timeout.ts";
import type { Log } from "../log/port.ts";
import type { Carrier, Consumer, DueJob } from "./port.ts";

interface BullmqOptions {
  /** Opened with `clientOptions`. A worker opens a second connection like it. It stays open. */
  redis: Redis;
  /** Of all keys. */
  prefix: string;
  log: Log;
}

/**
 * BullMQ asks that commands are not given up. A connection that says nothing for so long is replaced, because a network that swallows
 * everything closes none; a worker that waits for jobs is answered every 5 s.
 */
export const clientOptions = {
  maxRetriesPerRequest: null,
  connectTimeout: 2000,
  socketTimeout: 10_000,
  retryStrategy: (times) => Math.min(50 * 2 ** times, 2000),
  reconnectOnError,
} satisfies RedisOptions;

const NAME = "jobs";
/** It costs little, because what is on its way is not taken twice. */
const RESEND_MS = 30_000;
/** The most at once: Redis answers nobody else meanwhile. */
const BATCH = 500;
const SEND_TIMEOUT_MS = 5000;
const CLOSE_TIMEOUT_MS = 2000;
const MAX_PAUSE_MS = 5000;
const RECONNECT_MS = 1000;
/** How long an id belongs to a process that does not say so again. */
const HELD_MS = 10_000;
/** One line in this time, however much fails. */
const TELL_MS = 60_000;
/** BullMQ runs 1 first, and what has no priority before that. */
const MIDDLE = 1_048_576;

export function createBullmqCarrier({ redis, prefix, log }: BullmqOptions): Carrier {
  // Without the check of the version: it prints to the console, and no policy of eviction can lose a job here.
  const common = { connection: redis, prefix, skipVersionCheck: true };
  const queue = new Queue<string>(NAME, { ...common, streams: { events: { maxLen: 100 } } });
  let worker: Worker<string> | null = null;
  let closing: Promise<void> | null = null;
  /** What it has brought, and is not answered yet. */
  const brought = new Set<Promise<void>>();
  let toldAt = Number.NEGATIVE_INFINITY;

  function failed(err: unknown) {
    const at = performance.now();
    if (closing || at - toldAt < TELL_MS) return;
    toldAt = at;
    log.warn({ err }, "Redis does not carry jobs: they wait in the database until it does");
  }
  redis.on("error", failed);
  queue.on("error", failed);

  async function add(entries: Entry[]): Promise<void> {
    const keys = entries.map(({ opts }) => queue.toKey(opts.jobId));
    // A Redis that evicts may have dropped the list that an entry was in, whose remains would refuse the same id for ever.
    if ((await redis.exists(keys)) > 0) {
      const states = await Promise.all(entries.map(({ opts }) => queue.getJobState(opts.jobId)));
      await Promise.all(keys.filter((_, i) => states[i] === "unknown").map((key) => redis.del(key)));
    }
    await queue.addBulk(entries);
  }

  async function deliver(consumer: Consumer, id: string): Promise<void> {
    // The place is kept meanwhile: there is nothing else to do for it either.
    for (let wait = 200; ; wait = Math.min(wait * 2, MAX_PAUSE_MS)) {
      try {
        return await consumer.deliver([id]);
      } catch (error) {
        if (closing || !hasCode(error, "unavailable")) throw error;
        await pause(wait);
      }
    }
  }

  function bring(consumer: Consumer, id: string): Promise<void> {
    const answer = deliver(consumer, id).finally(() => brought.delete(answer));
    brought.add(answer);
    return answer;
  }

  async function end(): Promise<void> {
    const closed = worker?.close() ?? Promise.resolve();
    while (brought.size > 0) await Promise.allSettled(brought);
    // BullMQ waits for a Redis that is away for as long as that is.
    await withTimeout(closed, CLOSE_TIMEOUT_MS).catch(() => {});
  }

  const quiet = (): Promise<void> => {
    closing ??= end();
    return closing;
  };

  return {
    resendMs: RESEND_MS,
    async send(jobs) {
      for (let i = 0; i < jobs.length; i += BATCH) {
        // Commands that wait for a connection would pile up here, and the jobs are kept already.
        if (redis.status !== "ready") throw noAnswer();
        const added = add(jobs.slice(i, i + BATCH).map(entry)).catch((error) => {
          throw unavailable("Redis did not take the jobs.", error);
        });
        await withTimeout(added, SEND_TIMEOUT_MS, noAnswer);
      }
    },
    async listen(consumer) {
      worker = new Worker<string>(NAME, (job) => bring(consumer, job.data), {
        ...common,
        concurrency: consumer.concurrency,
        runRetryDelay: RECONNECT_MS,
        // An id that a process had, or whose way to it was cut, comes to another one. One too many finds nothing to do.
        lockDuration: HELD_MS,
        stalledInterval: HELD_MS,
        maxStalledCount: Number.MAX_SAFE_INTEGER,
      });
      worker.on("error", failed);
      worker.on("failed", (job, err) =>
        log.error({ err, job: job?.data }, "a job could not be taken from the carrier"),
      );
    },
    quiet,
    async close() {
      await withTimeout(quiet(), CLOSE_TIMEOUT_MS).catch(() => {});
      // It waits for a connection that may never come.
      worker?.disconnect().catch(() => {});
      await queue.close();
      redis.off("error", failed);
    },
  };
}

const noAnswer = () => unavailable("Redis does not answer.");

type Entry = ReturnType<typeof entry>;
const entry = ({ id, name, attempt, priority }: DueJob) => ({
  name,
  data: id,
  opts: {
    jobId: `${id}-${attempt}`,
    priority: Math.min(Math.max(MIDDLE - priority, 1), 2 * MIDDLE - 1),
    removeOnComplete: true,
    removeOnFail: true,
  },
});
