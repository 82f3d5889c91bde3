import type { Instant } from "../../core/clock.ts";
import type { Bus } from "../../ports/bus/port.ts";
import type { Db } from "../../ports/db/port.ts";
import { countCancelled } from "../../ports/queue/minutes.ts";
import { publishCancelled } from "../../ports/queue/news.ts";
import type { Ended } from "../../ports/queue/operate.ts";

/**
 * Jobs that wait are in no process whose events would tell of them, so whoever cancels them does. It is done when this is called, and is
 * answered so: a number that could not be added to the rates is lost, as with a process that dies.
 */
export async function tellCancelled({ db, bus }: { db: Db; bus: Bus }, at: Instant, jobs: readonly Ended[]) {
  publishCancelled(bus, jobs);
  await countCancelled(db, at, jobs).catch(() => {});
}
