/** Times that mean something on a machine that does other work too. */
import process from "node:process";

const TRIES = 5;

/** The first time that is short enough, or the shortest of five: what else runs can only make one longer. In ms. */
export async function shortest(enough: number, take: () => Promise<number>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TRIES && least >= enough; i++) least = Math.min(least, await take());
  return least;
}

/** Starts to count the time that this process computes, whoever waits for it; what it returns tells it, in ms. */
export function computing(): () => number {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
}
