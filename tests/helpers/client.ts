/**
 * An HTTP client for tests. Every answer that passes through it is held to what is promised of all answers: no fault of the server, the
 * headers that every answer has, one shape of problems, and nothing that tells of the inside.
 */
import { expect } from "bun:test";

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came back.
export type Json = any;

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** The parsed body; undefined when it is not JSON. */
  json: Json;
  /** `data` of the envelope. */
  data: Json;
}

export interface RequestOptions {
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, as `application/json` unless the headers say otherwise. */
  raw?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  headers?: Record<string, string>;
  /** 503 is what the test wants to see. */
  mayBeDown?: boolean;
}

export interface Client {
  (method: string, path: string, options?: RequestOptions): Promise<Answer>;
  /** The same client with other headers on each request. */
  with(headers: Record<string, string>): Client;
  /** The same client of another server. */
  at(url: string): Client;
  readonly url: string;
  /** What it sends with each request. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Told of each exchange. */
export type Observer = (exchange: {
  method: string;
  path: string;
  status: number;
  headers: Headers;
  text: string;
  json: Json;
  sent: unknown;
}) => void;

export function createClient(url: string, observer: Observer, own: Record<string, string> = {}): Client {
  const client = async (method: string, path: string, options: RequestOptions = {}): Promise<Answer> => {
    const headers = { ...own, ...options.headers };
    const body = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
    if (body !== undefined && !("content-type" in headers))
      Object.assign(headers, { "content-type": "application/json" });
    const response = await fetch(url + path, {
      method,
      headers,
      redirect: "manual",
      ...(body !== undefined && { body }),
    });
    const text = await response.text();
    const json = parsed(text);
    const { status } = response;
    holds(`${method} ${path}`, status, response.headers, text, json, options.mayBeDown ?? false);
    observer({ method, path, status, headers: response.headers, text, json, sent: options.body });
    return { status, headers: response.headers, text, json, data: json?.data };
  };
  return Object.assign(client, {
    url,
    headers: own,
    with: (headers: Record<string, string>) => createClient(url, observer, { ...own, ...headers }),
    at: (other: string) => createClient(other, observer, own),
  });
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function holds(what: string, status: number, headers: Headers, text: string, json: Json, mayBeDown: boolean): void {
  if (status >= 500 && !(mayBeDown && status === 503)) throw new Error(`${what} answered ${status}: ${text}`);
  for (const [name, value] of always) {
    const found = headers.get(name);
    if (found === null || !value.test(found)) throw new Error(`${what} (${status}) has ${name}: ${found}`);
  }
  for (const name of never) if (headers.has(name)) throw new Error(`${what} tells ${name}: ${headers.get(name)}`);
  const leak = leakOf(text);
  if (leak) throw new Error(`${what} (${status}) tells of the inside: ${leak}`);
  if (status === 401) expect(headers.get("www-authenticate")).toStartWith("Bearer ");
  if (status === 405) expect(headers.get("allow")).toBeTruthy();
  if (status === 429 || status === 503) expect(headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
  if (status >= 400 && text !== "") {
    expect(headers.get("content-type")).toBe("application/problem+json");
    const { type, title, status: told, detail, code, requestId } = json ?? {};
    expect({ told, requestId }).toEqual({ told: status, requestId: headers.get("x-request-id") });
    expect(code).toMatch(/^[a-z_]+$/);
    expect(type).toMatch(/^https?:\/\//);
    expect(type).toEndWith(`#${code}`);
    for (const text of [title, detail]) expect(text).toBeString();
  }
}

const always: [string, RegExp][] = [
  ["x-content-type-options", /^nosniff$/],
  ["strict-transport-security", /max-age=(?:3153600\d|[1-9]\d{8,})/],
  ["content-security-policy", /frame-ancestors 'none'/],
  ["referrer-policy", /^no-referrer$/],
  ["cache-control", /no-store|no-cache|max-age/],
  ["x-request-id", /^[\w.:@-]{1,128}$/],
];
const never = ["x-powered-by", "server"];

/** Traces of a stack, a path, a query or a library in an answer. */
const leaks: [RegExp, string][] = [
  [/\bat .{1,200}[(\s/].{1,200}:\d+:\d+/, "a stack"],
  [/node_modules[\\/]|file:\/\/|\/(?:home|root|usr|srv|tmp|work)\/[\w./-]+\.[mc]?[jt]s\b/, "a path"],
  [
    /violates \w+ constraint|syntax error at or near|relation "|duplicate key|UNIQUE constraint|SQLITE_|no such (?:table|column)|D1_ERROR/i,
    "the database",
  ],
  [/\b(?:select|insert into|update|delete from)\b.{0,80}\b(?:from|values|set|where)\b.{0,80}(?:\$\d|\?)/i, "SQL"],
  [/Failed query|DrizzleQueryError|PostgresError|ZodError|ECONN[A-Z]+|ENOTFOUND/, "the name of a library's error"],
  [
    /Cannot read propert|is not a function|is not iterable|Unexpected token|JSON Parse error|Maximum call stack/i,
    "the JavaScript engine",
  ],
  // The audit trail tells that a secret was set or has changed, and nothing else of it.
  [
    /\$argon2|(?:passwordHash|tokenHash)(?!":(?:"\[changed\]"|null)|: (?:\[changed\]|null|null → \[changed\]))|password_hash|token_hash/,
    "a secret column",
  ],
];
export const leakOf = (text: string): string | null => leaks.find(([pattern]) => pattern.test(text))?.[1] ?? null;
