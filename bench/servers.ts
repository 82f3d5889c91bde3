/** Starting the servers that are compared, each on a core of its own choosing, and reading from /proc what they use. Linux alone. */
import { spawnSync } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import type { Fixture } from "./fixture.ts";
import { AUDIENCE, ISSUER } from "./fixture.ts";

export interface Target {
  name: string;
  command: string[];
  /** The target that its figures are divided by; null for one that others are divided by. */
  base: string | null;
  /** The endpoints that it has, by key; all of them if absent. */
  only?: readonly string[];
}

export interface Running {
  target: Target;
  url: string;
  pid: number;
  /** From the start of the process to the first answer of /livez, in milliseconds. */
  startedMs: number;
  stop(): Promise<void>;
}

const SERVER_CORE = 0;
export const LOAD_CORE = 1;
const PATIENCE_MS = 20_000;
/** Clock ticks a second in /proc (USER_HZ), the same on every Linux. */
const TICK_MS = 10;

let nextPort = 41_000 + (process.pid % 1000) * 10;

export async function start(target: Target, { url, keys }: Fixture): Promise<Running> {
  const port = nextPort++;
  const nowhere = openSync("/dev/null", "w");
  const t0 = performance.now();
  const child = Bun.spawn(["taskset", "-c", String(SERVER_CORE), ...target.command], {
    stdin: "ignore",
    stdout: nowhere,
    stderr: "inherit",
    env: {
      PATH: process.env.PATH ?? "",
      NODE_ENV: "production",
      HOST: "127.0.0.1",
      PORT: String(port),
      PUBLIC_URL: ISSUER,
      JWT_AUDIENCE: AUDIENCE,
      JWT_KEYS: keys,
      DATABASE_URL: url,
      DATABASE_POOL_SIZE: "10",
      // The limiter counts every request, and refuses none.
      LIMIT_API: "999999999/60s",
      SHUTDOWN_LEAD_MS: "0",
      SHUTDOWN_GRACE_MS: "5000",
    },
  });
  while (!(await answers(port))) {
    if (child.exitCode !== null || performance.now() - t0 > PATIENCE_MS)
      throw new Error(`${target.name} does not answer on port ${port}`);
    await Bun.sleep(1);
  }
  const startedMs = performance.now() - t0;
  return {
    target,
    url: `http://127.0.0.1:${port}`,
    pid: child.pid,
    startedMs,
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 6000);
      await child.exited;
      clearTimeout(timer);
    },
  };
}

/** Whether /livez answers 200: one request on a socket of its own, so that nothing of this process's own client is measured. */
const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () =>
      socket.write("GET /livez HTTP/1.1\r\nHost: bench.localhost\r\nConnection: close\r\n\r\n"),
    );
    socket.on("data", (bytes) => {
      resolve(bytes.toString("latin1", 9, 12) === "200");
      socket.destroy();
    });
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(false));
  });

/** User and system time of a process so far, in milliseconds; 0 when it has ended. */
export function cpuMs(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return 0;
  }
}

/** What all processes of the machine have used so far, in milliseconds, with what its host took away; not the kernel's interrupts. */
export function machineMs(): number {
  const [user, nice, system, , , , , steal] = (readFileSync("/proc/stat", "utf8").split("\n")[0] as string)
    .split(/\s+/)
    .slice(1)
    .map(Number) as number[];
  return ((user ?? 0) + (nice ?? 0) + (system ?? 0) + (steal ?? 0)) * TICK_MS;
}

export const rssMiB = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

/** Binds processes to cores (`0-1`); says whether that was allowed. */
export function pin(pids: readonly number[], cores: string): boolean {
  return pids.every((pid) => spawnSync("taskset", ["-acp", cores, String(pid)], { stdio: "ignore" }).status === 0);
}
