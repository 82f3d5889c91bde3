/**
 * Events of jobs for whoever watches from another process, over the bus: ids, never what a job was given or has answered.
 *
 * A process publishes at most one message in 250 ms, whatever it runs. What fits is told job by job, the gravest first; of the rest only how
 * many of each kind and name there were. A job's progress is therefore told at most four times a second.
 */
import type { Bus } from "../bus/port.ts";
import type { JobEvents } from "./events.ts";
import type { JobEvent } from "./port.ts";

export const JOB_NEWS_TOPIC = "job-news";

type Kind = JobEvent["kind"];

/** Gravest first. */
const kinds: readonly Kind[] = ["dead", "cancelled", "failed", "retried", "completed", "progress", "started"];

/** What happened to one job. */
interface JobTold {
  kind: Kind;
  name: string;
  id: string;
  attempt: number;
}
/** What happened to so many more. Where too many names had news, `name` is null: it was any of them. */
interface JobsCounted {
  kind: Kind;
  name: string | null;
  count: number;
}
export type JobNews = JobTold | JobsCounted;

export interface JobNewsListener {
  news(news: readonly JobNews[]): void;
  /** Some may have been lost: whoever shows the state of jobs reads it again. */
  missed(): void;
}

/** Returns how to stop listening. News of this process are among them. */
export const watchJobs = (bus: Bus, listener: JobNewsListener): (() => void) =>
  bus.subscribe(JOB_NEWS_TOPIC, {
    message: (text) => listener.news(decode(text)),
    missed: () => listener.missed(),
  });

const WINDOW_MS = 250;
/** An item takes at most 160 bytes, and a message 4 KiB. */
const MAX_TOLD = 16;
const MAX_COUNTED = 7;

export interface JobNewsSource {
  /** Publishes what has come up since the last time. */
  flush(): void;
  close(): void;
}

interface Options {
  events: JobEvents;
  bus: Bus;
  /** Whether it publishes by itself; where nothing runs between calls, whoever calls does. */
  timer?: boolean;
}

export function publishJobNews({ events, bus, timer = true }: Options): JobNewsSource {
  let told = new Map<Kind, Map<string, JobTold>>();
  let counts = new Map<Kind, Map<string, number>>();
  let due: ReturnType<typeof setTimeout> | null = null;
  let last = Number.NEGATIVE_INFINITY;

  const stop = events.onJobEvent((event) => {
    const { kind, id, name, attempt } = event;
    if (kind === "cancelled" && event.counted) return;
    const some = told.get(kind) ?? new Map<string, JobTold>();
    told.set(kind, some);
    // One item a job and kind: of its progress the last is as good as all.
    if (some.size < MAX_TOLD + MAX_COUNTED) some.set(id, { kind, id, name, attempt });
    else if (kind !== "progress" || !some.has(id)) {
      const more = counts.get(kind) ?? new Map<string, number>();
      counts.set(kind, more);
      more.set(name, (more.get(name) ?? 0) + 1);
    }
    if (timer && due === null) due = setTimeout(flush, Math.max(0, last + WINDOW_MS - performance.now()));
  });

  function flush() {
    if (due !== null) clearTimeout(due);
    due = null;
    last = performance.now();
    const all = kinds.flatMap((kind) => [...(told.get(kind)?.values() ?? [])]);
    const message = encode(all, counts);
    told = new Map();
    counts = new Map();
    if (message !== "") bus.publish(JOB_NEWS_TOPIC, message);
  }

  return {
    flush,
    close() {
      stop();
      flush();
    },
  };
}

/** Jobs that were cancelled in the record, which need not have been in any process. */
export function publishCancelled(bus: Bus, jobs: readonly Omit<JobTold, "kind">[]): void {
  const told = jobs.map((job): JobTold => ({ kind: "cancelled", ...job }));
  if (told.length > 0) bus.publish(JOB_NEWS_TOPIC, encode(told, new Map()));
}

function encode(all: readonly JobTold[], counts: Map<Kind, Map<string, number>>): string {
  const fits = counts.size === 0 && all.length <= MAX_TOLD + MAX_COUNTED;
  const shown = fits ? all : all.slice(0, MAX_TOLD);
  for (const { kind, name } of all.slice(shown.length)) {
    const more = counts.get(kind) ?? new Map<string, number>();
    counts.set(kind, more);
    more.set(name, (more.get(name) ?? 0) + 1);
  }
  const items = shown.map(({ kind, name, id, attempt }) => [kind, name, id, attempt].join(" "));
  // Where there are more kinds and names than fit, the names are left out.
  const named = [...counts].flatMap(([kind, names]) => [...names].map(([name, count]) => `${kind} ${name} ${count}`));
  const any = () =>
    [...counts].map(([kind, names]) => `${kind} * ${[...names.values()].reduce((sum, count) => sum + count, 0)}`);
  return [...items, ...(named.length <= MAX_COUNTED ? named : any())].join(";");
}

/** Names hold neither spaces nor semicolons (define.ts). */
const decode = (text: string): JobNews[] =>
  text.split(";").map((item) => {
    const [kind, name, third, attempt] = item.split(" ") as [Kind, string, string, string?];
    return attempt === undefined
      ? { kind, name: name === "*" ? null : name, count: Number(third) }
      : { kind, name, id: third, attempt: Number(attempt) };
  });
