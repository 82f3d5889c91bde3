/**
 * Ending a process so that nothing is cut: readiness falls first, so that nobody sends more; then the port closes, what is under way is
 * answered, and connections are given back. A second signal ends it at once.
 */
import process from "node:process";
import type { Lifecycle } from "../modules/health/service.ts";
import type { Log } from "../ports/log/port.ts";

export interface ShutdownOptions {
  lifecycle: Lifecycle;
  log: Log;
  /** How long readiness is down before the port closes: what a load balancer needs to notice. */
  leadMs: number;
  /** From the signal to the exit, whatever is still under way. */
  graceMs: number;
  /** Closes the port and resolves when the last request is answered. */
  stopServer: () => Promise<void>;
  /** What is closed after the last request, in this order. */
  close: readonly (() => Promise<void>)[];
}

/** One Ctrl-C arrives twice when the process was started by a script runner: from the terminal, and passed on by the runner. */
const ECHO_MS = 50;

export function shutdownOnSignal(options: ShutdownOptions): void {
  let since = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    if (since > 0 && Date.now() - since < ECHO_MS) return;
    if (since > 0) process.exit(1);
    since = Date.now();
    void shutdown(signal, options).then((code) => process.exit(code));
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

async function shutdown(
  signal: string,
  { lifecycle, log, leadMs, graceMs, stopServer, close }: ShutdownOptions,
): Promise<number> {
  const late = after(graceMs - 500, "late" as const);
  lifecycle.phase = "draining";
  log.info({ signal }, "stopping");
  await after(leadMs, null);
  if ((await Promise.race([stopServer(), late])) === "late")
    log.warn({ graceMs }, "requests or jobs were still under way when the time was up");
  for (const end of close) {
    await Promise.race([end(), late]).catch((err) => log.error({ err }, "closing failed"));
  }
  log.info({}, "stopped");
  await log.flush();
  return 0;
}

const after = <T>(ms: number, value: T): Promise<T> => new Promise((resolve) => setTimeout(resolve, ms, value));
