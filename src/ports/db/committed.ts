/** Who is told of the lists that have committed. Both dialects share it. */
import type { CommitListener, Db, Notice, NoticeSource } from "./port.ts";
import type { Step } from "./statement.ts";

interface Commits {
  committed: Db["committed"];
  notices: Db["notices"];
  /** What is to be told with the commit of this list. */
  noticeOf(steps: readonly (Step | null)[]): Notice | null;
  /** Tells of a list that has committed. While nobody listens it looks at nothing. */
  tell(steps: readonly (Step | null)[], noticed?: boolean): void;
}

export function createCommits(): Commits {
  /** One object a subscription, so that one function may listen twice. */
  const listeners = new Set<{ on: CommitListener }>();

  let source: NoticeSource | null = null;

  return {
    notices(asked) {
      source = asked;
      return () => {
        if (source === asked) source = null;
      };
    },
    noticeOf(steps) {
      const tables = source ? written(steps) : [];
      return tables.length > 0 ? (source?.(tables) ?? null) : null;
    },
    committed(on) {
      const listener = { on };
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    tell(steps, noticed = false) {
      if (listeners.size === 0) return;
      const tables = written(steps);
      if (tables.length === 0) return;
      for (const { on } of listeners) {
        try {
          on(tables, noticed);
        } catch {
          // The list has committed: what a listener makes of it must not look like a failed write.
        }
      }
    },
  };
}

function written(steps: readonly (Step | null)[]): string[] {
  const tables: string[] = [];
  for (const step of steps) {
    const table = step?.bound.compiled.target;
    if (table && !step.bound.quiet && !tables.includes(table)) tables.push(table);
  }
  return tables;
}
