/**
 * The bus on PostgreSQL's LISTEN and NOTIFY: one connection, beside the pool, listens and sends. A pooler that shares connections between
 * transactions (PgBouncer's transaction mode) forgets who listens: behind one the bus has to be on Redis.
 */
import type { Options, Sql } from "postgres";
import type { Log } from "../log/port.ts";
import type { Bus } from "./port.ts";
import { createRemoteBus, type LinkEvents, type RemoteTiming } from "./remote.ts";

interface PostgresBusOptions {
  url: string;
  log: Log;
  timing?: RemoteTiming;
  after?: Promise<unknown>;
}

const CHANNEL = "hearth_bus";
/** PostgreSQL refuses payloads of 8000 bytes and more. */
const MAX_PAYLOAD = 7900;

export const createPostgresBus = ({ url, ...rest }: PostgresBusOptions): Bus =>
  createRemoteBus({
    name: "PostgreSQL",
    connect: (events) => connect(url, events),
    maxPayload: MAX_PAYLOAD,
    noticeChannel: CHANNEL,
    ...rest,
  });

function connect(url: string, { payload, lost }: LinkEvents) {
  // `onnotify` is what postgres.js's own `listen` is made of, and its types leave out. That `listen` reconnects without saying so when it
  // fails, and keeps a second connection to send with.
  const options: Options<Record<string, never>> & { onnotify: (channel: string, text: string) => void } = {
    max: 1,
    idle_timeout: 0,
    max_lifetime: null,
    connect_timeout: 4,
    fetch_types: false,
    onnotice: () => {},
    onnotify: (_, text) => payload(text),
    onclose: () => lost(new Error("the connection was closed")),
    connection: { application_name: "hearth bus" },
  };
  const opening = import("postgres").then((client) => client.default(url, options));
  const on = async (work: (sql: Sql) => Promise<unknown>) => work(await opening);
  return {
    opened: on((sql) => sql.unsafe(`listen ${CHANNEL}`)),
    send: (payloads: readonly string[]) =>
      on(
        (sql) =>
          sql`select pg_notify(${CHANNEL}, p) from json_array_elements_text(${JSON.stringify(payloads)}::text::json) p`,
      ),
    ping: () => on((sql) => sql`select 1`),
    close: () => void on((sql) => sql.end({ timeout: 0 })).catch(() => {}),
  };
}
