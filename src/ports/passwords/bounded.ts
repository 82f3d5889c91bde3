/** Keeps a flood of logins from taking all memory: so many at once, so many waiting in their order, and `unavailable` for the rest. */
import { unavailable } from "../../core/error.ts";

export interface Bounds {
  /** How many run at the same time. */
  atOnce: number;
  /** How many may wait for a place. */
  waiting: number;
}

export function bounded<In, Out>(
  work: (input: In) => Promise<Out>,
  { atOnce, waiting }: Bounds,
): (input: In) => Promise<Out> {
  const queue: (() => void)[] = [];
  let running = 0;

  return async (input) => {
    if (running < atOnce) running++;
    else if (queue.length < waiting) await new Promise<void>((start) => queue.push(start));
    else throw unavailable("Too many passwords are being checked at this moment.");
    try {
      return await work(input);
    } finally {
      // The place goes to the one that has waited longest, without becoming free in between.
      const next = queue.shift();
      if (next) next();
      else running--;
    }
  };
}
