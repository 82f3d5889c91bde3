/**
 * Timeouts of many things that rarely take so long. Those of one duration end in the order in which they began, so one timer serves them
 * all; a timer of its own costs a job 2 µs.
 */
interface Waiting {
  at: number;
  onTime: () => void;
}

interface Group {
  waiting: Set<Waiting>;
  timer: ReturnType<typeof setTimeout>;
}

/** Answers how to call it off. */
export type Timeout = (ms: number, onTime: () => void) => () => void;

export function createTimeouts(): Timeout {
  const groups = new Map<number, Group>();

  function fire(ms: number, group: Group) {
    const now = performance.now();
    for (const entry of group.waiting) {
      if (entry.at > now) break;
      group.waiting.delete(entry);
      entry.onTime();
    }
    const [next] = group.waiting;
    if (next) group.timer = setTimeout(() => fire(ms, group), Math.max(1, next.at - performance.now()));
    else if (groups.get(ms) === group) groups.delete(ms);
  }

  return (ms, onTime) => {
    let group = groups.get(ms);
    if (!group) {
      const made: Group = { waiting: new Set(), timer: setTimeout(() => fire(ms, made), ms) };
      groups.set(ms, made);
      group = made;
    }
    const own = group;
    const entry = { at: performance.now() + ms, onTime };
    own.waiting.add(entry);
    return () => {
      if (!own.waiting.delete(entry) || own.waiting.size > 0) return;
      clearTimeout(own.timer);
      if (groups.get(ms) === own) groups.delete(ms);
    };
  };
}
