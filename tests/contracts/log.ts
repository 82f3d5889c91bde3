/** What every driver of the log port writes. The expected lines are whole, so that two drivers that pass write the same. */
import { expect, test } from "bun:test";
import { DrizzleQueryError } from "drizzle-orm/errors";
import type { Clock } from "../../src/core/clock.ts";
import { AppError, unavailable } from "../../src/core/error.ts";
import { Secret } from "../../src/core/secret.ts";
import type { Log, LogThreshold } from "../../src/ports/log/port.ts";
import { computing } from "../helpers/time.ts";

export interface Recorded {
  log: Log;
  /** What was written so far. */
  text(): Promise<string>;
}

const NOW = "2026-01-31T09:30:00.000Z";
const clock: Clock = { now: () => Date.parse(NOW) };

export type MakeLog = (options: { level: LogThreshold; clock: Clock }) => Recorded;

export function logContract(name: string, make: MakeLog): void {
  const open = (level: LogThreshold = "debug") => make({ level, clock });
  /** The lines that one use of a log leaves, parsed. */
  const lines = async (use: (log: Log) => void, level?: LogThreshold): Promise<Record<string, unknown>[]> => {
    const { log, text } = open(level);
    use(log);
    await log.flush();
    return (await text())
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  };
  const fieldsOf = async (fields: object) => (await lines((log) => log.info(fields, "m")))[0] ?? {};

  test(`${name}: a line is its level as a word, the time, the fields and the message, in this order`, async () => {
    const { log, text } = open();
    log.info({ user: "user_1", n: 3 }, "said");
    log.request({
      requestId: "req_1",
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      actor: null,
      method: "GET",
      route: "/v1/users/{id}",
      status: 200,
      ms: 1.25,
    });
    await log.flush();
    expect(await text()).toBe(
      `{"level":"info","time":"${NOW}","user":"user_1","n":3,"msg":"said"}\n` +
        `{"level":"info","time":"${NOW}","requestId":"req_1","traceId":"4bf92f3577b34da6a3ce929d0e0e4736","actor":null,` +
        `"method":"GET","route":"/v1/users/{id}","status":200,"ms":1.25,"msg":"request"}\n`,
    );
  });

  test(`${name}: levels below the threshold are not written, and a request's level follows from its status`, async () => {
    const request = { requestId: "r", traceId: "t", actor: null, method: "GET", route: null, ms: 1 };
    const use = (log: Log) => {
      for (const level of ["debug", "info", "warn", "error"] as const) log[level]({}, level);
      log.request({ ...request, status: 404 });
      log.request({ ...request, status: 503 });
    };
    const shown = async (level: LogThreshold) => (await lines(use, level)).map((line) => `${line.level} ${line.msg}`);
    const all = ["debug debug", "info info", "warn warn", "error error", "info request", "error request"];
    expect(await shown("debug")).toEqual(all);
    expect(await shown("info")).toEqual(all.slice(1));
    expect(await shown("warn")).toEqual(["warn warn", "error error", "error request"]);
    expect(await shown("error")).toEqual(["error error", "error request"]);
    expect(await shown("silent")).toEqual([]);
  });

  test(`${name}: a child adds its fields to each line, the line's own win, and every name stands once`, async () => {
    const { log, text } = open();
    log
      .child({ requestId: "req_1", token: "t0ps3cret" })
      .child({ job: "mail" })
      .warn({ job: "post", level: 9, msg: "x", time: 0 }, "m");
    await log.flush();
    expect(await text()).toBe(
      `{"level":"warn","time":"${NOW}","requestId":"req_1","token":"[redacted]","job":"post","level_":9,"time_":0,"msg_":"x","msg":"m"}\n`,
    );
  });

  test(`${name}: fields that are secret by their names are not written, at any depth`, async () => {
    const names = [
      ...["authorization", "Authorization", "proxy-authorization", "cookie", "set-cookie", "Set-Cookie", "password"],
      ...[
        "newPassword",
        "password_confirmation",
        "passwordHash",
        "password_hash",
        "DB_PASSWORD",
        "passphrase",
        "token",
      ],
      ...["accessToken", "refresh_token", "tokenHash", "csrfTokens", "secret", "clientSecret", "secretKey", "apiKey"],
      ...[
        "x-api-key",
        "privateKey",
        "connectionString",
        "DATABASE_URL",
        "redisUrl",
        "dsn",
        "credentials",
        "jwt",
        "pwd",
      ],
    ];
    for (const name of names) {
      const { log, text } = open();
      const hidden = { [name]: "t0ps3cret", a: [{ b: { c: { d: { [name]: ["t0ps3cret", { e: "t0ps3cret" }] } } } }] };
      log.info({ ...hidden, headers: new Headers({ [name]: "t0ps3cret" }), map: new Map([[name, "t0ps3cret"]]) }, "m");
      log.child(hidden).info({}, "m");
      await log.flush();
      expect(await text(), name).not.toContain("t0ps3cret");
      expect(await text(), name).toContain("[redacted]");
    }
    expect(
      await fieldsOf({ tokenType: "Bearer", passwordChangedAt: "x", secretary: "y", hasPassword: true, token: null }),
    ).toMatchObject({ tokenType: "Bearer", passwordChangedAt: "x", secretary: "y", hasPassword: true, token: null });
  });

  test(`${name}: credentials inside of texts are not written, wherever the text stands`, async () => {
    const texts = [
      "connect to postgres://hearth:t0ps3cret@db:5432/hearth failed",
      "postgres://hearth:p/w@t0ps3cret@db/hearth",
      "redis://:t0ps3cret@cache:6379/0",
      "https://t0ps3cret@github.com/x",
      "host=db user=hearth password=t0ps3cret dbname=hearth",
      "GET /reset?token=t0ps3cret&x=1",
      "Authorization: Bearer t0ps3cret.t0ps3cret",
      '{"user":"a","password":"t0ps3cret","x":1}',
      "got eyJhbGciOiJIUzI1NiJ9.t0ps3cret.sig",
      "stored $argon2id$v=19$m=19456,t=2,p=1$t0ps3cret$t0ps3cret",
      `${"x".repeat(8_150)} postgres://hearth:${"t0ps3cret".repeat(9)}@db/hearth`,
    ];
    for (const text of texts) {
      const { log, text: written } = open();
      log.error(
        { text, list: [text], url: URL.canParse(text) ? new URL(text) : null, err: new Error(text, { cause: text }) },
        text,
      );
      await log.flush();
      expect(await written(), text).not.toContain("t0ps3cret");
    }
    const harmless = "see https://example.com/@user?x=1 at 10:30: invalid token: expired";
    expect(await fieldsOf({ text: harmless })).toMatchObject({ text: harmless });
  });

  test(`${name}: a Secret prints as [secret], under any name and inside of anything`, async () => {
    const secret = new Secret("t0ps3cret");
    const { log, text } = open();
    log.info({ key: secret, password: secret, list: [secret], env: { nested: { secret } } }, `the key is ${secret}`);
    await log.flush();
    expect(JSON.parse(await text())).toMatchObject({
      key: "[secret]",
      password: "[secret]",
      list: ["[secret]"],
      env: { nested: { secret: "[secret]" } },
      msg: "the key is [secret]",
    });
  });

  test(`${name}: an error is its type, message, code, stack and causes`, async () => {
    class StoreError extends Error {
      readonly code = "ECONNREFUSED";
      readonly detail = "Key (email)=(ann@example.com) already exists.";
    }
    const err = unavailable("Not now.", new StoreError("no route", { cause: { host: "db", password: "t0ps3cret" } }));
    const line = await fieldsOf({ err });
    expect(line.err).toEqual({
      type: "AppError",
      message: "Not now.",
      code: "unavailable",
      stack: expect.stringMatching(/^AppError: Not now\.\n\s+at .+/),
      cause: {
        type: "StoreError",
        message: "no route",
        code: "ECONNREFUSED",
        stack: expect.stringMatching(/^StoreError: no route\n\s+at .+/),
        cause: { host: "db", password: "[redacted]" },
      },
    });
    expect(await fieldsOf(new AppError("not_found"))).toMatchObject({ err: { type: "AppError", code: "not_found" } });
    const many = new AggregateError([new Error("one"), new TypeError("two")], "both");
    expect(await fieldsOf({ err: many })).toMatchObject({
      err: { type: "AggregateError", errors: [{ message: "one" }, { type: "TypeError", message: "two" }] },
    });
    const endless = new Error("a");
    endless.cause = endless;
    expect(JSON.stringify(await fieldsOf({ err: endless })).length).toBeLessThan(20_000);
  });

  test(`${name}: the parameters that database errors put into their messages are not written`, async () => {
    const driver = Object.assign(new Error('invalid input syntax for type uuid: "t0ps3cret"'), {
      code: "22P02",
      query: "select t0ps3cret",
      parameters: ["t0ps3cret"],
      detail: "t0ps3cret",
    });
    const params = ["t0ps3cret", "line\n    at t0ps3cret (file.ts:1:1)\nt0ps3cret"];
    const drizzle = new DrizzleQueryError('insert into "users" ("email") values ($1)', params, driver);
    expect(drizzle.message).toContain("t0ps3cret");
    const wrapped = unavailable("Not now.", new Error(`while saving: ${drizzle.message}`, { cause: drizzle }));
    const { log, text } = open();
    log.error({ err: wrapped, list: [drizzle], deep: { fault: drizzle } }, "failed");
    log.error(drizzle, "failed");
    await log.flush();
    expect(await text()).not.toContain("t0ps3cret");
    expect(await text()).toContain(`Failed query: insert into \\"users\\"`);
    expect(await text()).toContain("log.ts");
  });

  test(`${name}: line breaks and control characters stay inside of the JSON text`, async () => {
    const forged = 'x\n{"level":"error","msg":"forged"}\r\n\u0000\u001b[2J\u2028';
    const found = await lines((log) => log.info({ [forged]: forged }, forged));
    expect(found).toEqual([{ level: "info", time: NOW, [forged]: forged, msg: forged }]);
  });

  test(`${name}: nothing that is logged throws, runs in circles or is without end`, async () => {
    const circle: Record<string, unknown> = { a: 1 };
    circle.self = circle;
    circle.list = [circle];
    const shared = { s: 1 };
    let deep: unknown[] = [];
    for (let i = 0; i < 10_000; i++) deep = [deep];
    const hostile = {
      get boom() {
        throw new Error("getter");
      },
    };
    const line = await fieldsOf({
      circle,
      twice: [shared, shared],
      deep,
      hostile,
      json: { toJSON: () => ({ password: "x" }) },
      wide: Array.from({ length: 5_000 }, (_, i) => i),
      big: 12n,
      nan: Number.NaN,
      date: new Date(0),
      bytes: new Uint8Array(7),
      none: undefined,
      fn: () => {},
      ["__proto__"]: 1,
    });
    expect(line.circle).toEqual({ a: 1, self: "[circular]", list: ["[circular]"] });
    expect(line.twice).toEqual([{ s: 1 }, { s: 1 }]);
    expect(JSON.stringify(line.deep)).toBe('[[[[[[["[array]"]]]]]]]');
    expect(line).toMatchObject({
      hostile: "[unreadable]",
      json: { password: "[redacted]" },
      big: "12",
      nan: "NaN",
      date: "1970-01-01T00:00:00.000Z",
      bytes: "[7 bytes]",
    });
    expect((line.wide as unknown[]).slice(-2)).toEqual([99, "[4900 more]"]);
    expect(line).not.toHaveProperty("none");
    expect(line).not.toHaveProperty("fn");
    const bush = (depth: number): unknown => (depth === 0 ? "leaf" : Array.from({ length: 20 }, () => bush(depth - 1)));
    expect(JSON.stringify(await fieldsOf({ bush: bush(5) })).length).toBeLessThan(50_000);
  });

  test(`${name}: a value is cut at 8 KiB, in whole characters, and a line at 64 KiB of texts`, async () => {
    for (const [letter, length] of [
      ["x", 8_192],
      ["ü", 4_096],
      ["世", 2_730],
      ["🌍", 2_048],
    ] as const) {
      const whole = letter.repeat(length);
      const line = await fieldsOf({ whole, cut: letter.repeat(length * 100) });
      expect(line.whole).toBe(whole);
      expect(line.cut).toBe(`${whole}… [cut from ${letter.length * length * 100}]`);
    }
    const err = new Error("e".repeat(100_000));
    const texts = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`t${i}`, "y".repeat(8_000)]));
    const [line = {}] = await lines((log) => log.info({ err, texts }, "m".repeat(1_000_000)));
    expect(String(line.msg).length).toBeLessThan(8_300);
    expect((line.err as { stack: string }).stack).toMatch(/\n\s+at /);
    expect(JSON.stringify(line).length).toBeLessThan(80_000);
  });

  test(`${name}: no text makes redaction slow`, async () => {
    const worst = [
      "a://",
      "a".repeat(40),
      "password=",
      '"password":"',
      "bearer ",
      "eyJ",
      "$argon2id$",
      "a:@",
      "x=",
      '"',
    ];
    const { log } = open();
    const took = computing();
    for (const part of worst) log.info({ text: part.repeat(100_000) }, part.repeat(100_000));
    expect(took()).toBeLessThan(1_000);
  });
}
