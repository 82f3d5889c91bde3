/** What a case finds: a server that answers, an administrator, people who are logged in, and what can be seen of the inside. */
import { expect } from "bun:test";
import { type Client, createClient, type Json } from "../helpers/client.ts";
import type { LogLine } from "../helpers/server.ts";
import { createSpec, type Spec } from "../helpers/spec.ts";
import type { Store } from "../helpers/store.ts";
import type { Cell } from "./cells.ts";
import { settings } from "./settings.ts";

export interface Person {
  id: string;
  email: string;
  name: string;
  password: string;
  /** Sends their access token, from an address of their own. */
  api: Client;
  address: string;
  accessToken: string;
  refreshToken: string;
}

export type Account = { id: string; email: string; name: string; etag: string };

export interface World {
  cell: Cell;
  url: string;
  /** Sends no token, from an address that nobody else has. */
  guest(): Client;
  admin: Person;
  /** Two people who only look and are looked at: cases do not change them. */
  owner: Person;
  other: Person;
  /** Registers somebody and logs them in. */
  person(): Promise<Person>;
  /** Another session of the same person. */
  session(person: Person): Promise<Person>;
  /** An account that cannot log in, which costs no hash. */
  account(fields?: Record<string, unknown>): Promise<Account>;
  /** The OpenAPI document that it serves. */
  document: Json;
  /** SQL beside the server; null where it cannot be had. */
  query: Store["query"];
  log: Log;
  /** Writes that succeeded, through the clients of this world. */
  writes: readonly Write[];
  /** Passwords and tokens that went through the clients of this world. */
  secrets: ReadonlySet<string>;
}

export interface Write {
  method: string;
  /** Without its query. */
  path: string;
  requestId: string;
}

export interface Log {
  /** Everything that the server has printed so far. */
  output(): Promise<string>;
  /** The lines of JSON in it. */
  lines(): Promise<LogLine[]>;
  /** The first line that fits, as soon as there is one. */
  line(fits: (line: LogLine) => boolean): Promise<LogLine>;
}

/** What a case may need that not every cell has. */
export type Need = "sql" | "own server";

export interface Case {
  name: string;
  needs?: readonly Need[];
  run(world: World): Promise<void>;
}

let serial = 0;
export const unique = (): string =>
  `${Date.now().toString(36)}${(serial++).toString(36)}${crypto.randomUUID().slice(0, 6)}`;
export const newEmail = (): string => `p.${unique()}@example.com`;
const newPassword = () => `a quiet phrase ${unique()}`;

let addresses = 0;
/** Another one each time, of 198.18.0.0/15, which RFC 2544 keeps for tests: limits are counted by address. */
export const newAddress = (): string => {
  const n = addresses++ % 0x20000;
  return `198.${18 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
};
const from = (address: string) => ({ "x-forwarded-for": address });
const bearing = (token: string) => ({ authorization: `Bearer ${token}` });

interface Started {
  cell: Cell;
  url: string;
  query: Store["query"];
  log: Log;
}

/** Compiled once for all cells that serve the same document. */
const specs = new Map<string, Spec>();
function specOf(document: Json): Spec {
  const text = JSON.stringify(document);
  const spec = specs.get(text) ?? createSpec(document);
  specs.set(text, spec);
  return spec;
}

export async function openWorld({ cell, url, query, log }: Started): Promise<World> {
  const document: Json = await fetch(`${url}/openapi.json`).then((answer) => answer.json());
  const spec = specOf(document);
  const secrets = new Set<string>();
  const writes: Write[] = [];
  const anybody = createClient(url, (exchange) => {
    const { password } = (exchange.sent ?? {}) as { password?: unknown };
    for (const secret of [password, exchange.json?.data?.accessToken, exchange.json?.data?.refreshToken])
      if (typeof secret === "string" && secret.length >= 12) secrets.add(secret);
    const { method, path, status, headers } = exchange;
    if (!["GET", "HEAD", "OPTIONS"].includes(method) && status < 300)
      writes.push({ method, path: path.replace(/[?#].*/s, ""), requestId: headers.get("x-request-id") ?? "" });
    spec.check({ ...exchange, body: exchange.json });
  });
  const guest = () => anybody.with(from(newAddress()));

  async function logIn(who: { id: string; email: string; name: string; password: string }): Promise<Person> {
    const address = newAddress();
    const { email, password } = who;
    const { status, data } = await anybody.with(from(address))("POST", "/v1/auth/login", { body: { email, password } });
    expect(status).toBe(200);
    const api = anybody.with({ ...from(address), ...bearing(data.accessToken) });
    return { ...who, api, address, accessToken: data.accessToken, refreshToken: data.refreshToken };
  }

  async function person(): Promise<Person> {
    const body = { email: newEmail(), name: `Person ${unique()}`, password: newPassword() };
    const { status, data } = await guest()("POST", "/v1/auth/register", { body });
    expect(status).toBe(201);
    return logIn({ ...body, id: data.id });
  }

  const admin = await logIn({ id: "", name: "", ...settings.admin });
  const { data: me } = await admin.api("GET", "/v1/me");
  Object.assign(admin, { id: me.id, name: me.name });
  const [owner, other] = await Promise.all([person(), person()]);
  return {
    cell,
    url,
    guest,
    admin,
    owner,
    other,
    person,
    session: logIn,
    async account(fields = {}) {
      const body = { email: newEmail(), name: `Account ${unique()}`, ...fields };
      const { status, data, headers } = await admin.api("POST", "/v1/users", { body });
      expect(status).toBe(201);
      return { ...data, etag: headers.get("etag") };
    },
    document,
    query,
    log,
    writes,
    secrets,
  };
}
