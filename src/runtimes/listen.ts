import { CannotStart } from "../core/cannot-start.ts";
import type { Env } from "../env.ts";
import type { Fetch, Runtime, Server } from "./process.ts";

type Place = Pick<Env, "host" | "port">;

/** The same faults have other messages, and in part other codes, on Bun and Node. */
const reasons: Record<string, (at: Place) => string> = {
  EADDRINUSE: ({ port }) => `PORT: ${port} is in use`,
  EACCES: ({ port }) => `PORT: this user may not open ${port}`,
  EADDRNOTAVAIL: notOurs,
  EINVAL: notOurs,
  ENOTFOUND: notOurs,
};

function notOurs({ host }: Place): string {
  return `HOST: ${host} is no address of this machine`;
}

export async function listen(runtime: Runtime, fetch: Fetch, env: Env): Promise<Server> {
  try {
    return await runtime.serve(fetch, env);
  } catch (error) {
    const code = String((error as { code?: unknown }).code);
    throw reasons[code] ? new CannotStart(reasons[code](env), code) : error;
  }
}
