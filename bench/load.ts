/** One slot of load: wrk on one server and one endpoint for some seconds, with what the server used meanwhile. */
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Fixture } from "./fixture.ts";
import { cpuMs, LOAD_CORE, machineMs, type Running } from "./servers.ts";

export interface Endpoint {
  key: string;
  title: string;
  /** The requests that are sent in turn. `{n}` in a body is a number that never comes again. */
  requests: { method: string; path: string; token?: string; body?: string }[];
}

export interface Slot {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  cpuUs: number;
  /** Answers that were not 2xx or 3xx, and broken connections. */
  errors: number;
  /** CPU that neither the server, PostgreSQL nor the load used, in per cent of one core. */
  foreign: number;
}

const CONNECTIONS = 64;
let slots = 0;

export async function load(running: Running, endpoint: Endpoint, seconds: number, fixture: Fixture): Promise<Slot> {
  const script = join(tmpdir(), `hearth-bench-${process.pid}.lua`);
  writeFileSync(script, lua(endpoint, `${process.pid}.${slots++}`));
  const backends = await backendsOf(fixture);
  const ours = [running.pid, process.pid, ...backends];
  const used = () => ours.map(cpuMs);
  const [before, machineBefore] = [used(), machineMs()];
  const wrk = Bun.spawn(
    [
      ...["taskset", "-c", String(LOAD_CORE)],
      ...["wrk", "-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "--timeout", "10s", "-s", script, running.url],
    ],
    { stdout: "pipe", stderr: "pipe" },
  );
  const text = await new Response(wrk.stdout).text();
  await wrk.exited;
  const [after, machineAfter] = [used(), machineMs()];
  rmSync(script);
  const found = /SLOT (.*)/.exec(text)?.[1];
  if (!found) throw new Error(`wrk failed: ${text}${await new Response(wrk.stderr).text()}`);
  const { requests, us, p50, p99, errors } = JSON.parse(found) as Measured;
  const wrkMs = Number(wrk.resourceUsage()?.cpuTime.total ?? 0) / 1000;
  const oursMs = after.reduce((sum, ms, i) => sum + Math.max(0, ms - (before[i] ?? 0)), wrkMs);
  return {
    perSecond: requests / (us / 1e6),
    p50Ms: p50 / 1000,
    p99Ms: p99 / 1000,
    cpuUs: (((after[0] ?? 0) - (before[0] ?? 0)) * 1000) / requests,
    errors,
    foreign: Math.max(0, ((machineAfter - machineBefore - oursMs) * 100) / (us / 1000)),
  };
}

interface Measured {
  requests: number;
  us: number;
  p50: number;
  p99: number;
  errors: number;
}

/** The server processes of the bench's database, and those that work for all databases. */
export async function backendsOf({ sql }: Fixture): Promise<number[]> {
  const rows = await sql`
    select pid from pg_stat_activity where datname = current_database() or datname is null`;
  return rows.map(({ pid }) => pid as number);
}

/** Requests are formatted once; only a body with `{n}` is made anew, its length kept. */
function lua({ requests }: Endpoint, slot: string): string {
  const lines = requests.map(({ method, path, token, body }) => {
    const headers = ['["Host"]="bench.localhost"'];
    if (token) headers.push(`["Authorization"]="Bearer ${token}"`);
    if (body) headers.push('["Content-Type"]="application/json"');
    const numbered = body?.replace("{n}", `${slot}.NNNNNNNN`);
    return `wrk.format(${JSON.stringify(method)}, ${JSON.stringify(path)}, {${headers.join(", ")}}, ${numbered ? `[==[${numbered}]==]` : "nil"})`;
  });
  return `
local requests, at, made = {}, 0, 0
function init()
  for i, text in ipairs({${lines.join(",\n")}}) do
    local cut = text:find("NNNNNNNN", 1, true)
    requests[i] = cut and {text:sub(1, cut - 1), text:sub(cut + 8)} or text
  end
end
function request()
  at = at % #requests + 1
  local text = requests[at]
  if type(text) == "string" then return text end
  made = made + 1
  return text[1] .. string.format("%08d", made) .. text[2]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('SLOT {"requests":%d,"us":%d,"p50":%.1f,"p99":%.1f,"errors":%d}\\n', summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
`;
}
