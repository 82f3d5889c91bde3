/** What happens to the jobs of this process, told to whoever asks. A listener's fault is logged and reaches nobody. */
import type { Log } from "../log/port.ts";
import type { JobEvent } from "./port.ts";

type Kind = JobEvent["kind"];
export type EventOf<K extends Kind> = Extract<JobEvent, { kind: K }>;
type On<K extends Kind> = (listener: (event: EventOf<K>) => void) => () => void;

/** Each returns how to stop listening. Called at once, on the way: a listener that has work to do enqueues a job. */
export interface JobEvents {
  onJobStarted: On<"started">;
  onJobProgress: On<"progress">;
  onJobCompleted: On<"completed">;
  /** An attempt ended in an error; `retried` or `dead` follows. */
  onJobFailed: On<"failed">;
  onJobRetried: On<"retried">;
  onJobDead: On<"dead">;
  onJobCancelled: On<"cancelled">;
  /** All of them. */
  onJobEvent: (listener: (event: JobEvent) => void) => () => void;
}

export interface EventSource extends JobEvents {
  emit(event: JobEvent): void;
  /** Whether anybody would hear it: what nobody hears need not be made. */
  hears(kind: Kind): boolean;
}

export function createJobEvents({ log }: { log: Log }): EventSource {
  type Listener = (event: JobEvent) => void;
  const listeners = new Map<Kind | "all", Set<Listener>>();
  const on = (kind: Kind | "all") => (listener: (event: never) => void) => {
    const set = listeners.get(kind) ?? new Set();
    listeners.set(kind, set);
    const own: Listener = (event) => (listener as Listener)(event);
    set.add(own);
    return () => {
      set.delete(own);
      if (set.size === 0) listeners.delete(kind);
    };
  };
  function tell(set: Set<Listener> | undefined, event: JobEvent) {
    if (!set) return;
    for (const listener of set) {
      try {
        listener(event);
      } catch (err) {
        log.error({ err, job: event.id, event: event.kind }, "a listener of job events failed");
      }
    }
  }
  return {
    emit(event) {
      if (listeners.size === 0) return;
      tell(listeners.get(event.kind), event);
      tell(listeners.get("all"), event);
    },
    hears: (kind) => listeners.has(kind) || listeners.has("all"),
    onJobStarted: on("started"),
    onJobProgress: on("progress"),
    onJobCompleted: on("completed"),
    onJobFailed: on("failed"),
    onJobRetried: on("retried"),
    onJobDead: on("dead"),
    onJobCancelled: on("cancelled"),
    onJobEvent: on("all"),
  };
}
