/** What a command about jobs was given, read by the schemas of the API. What is wrong ends the process. */
import { z } from "zod";
import { systemClock, toInstant } from "../src/core/clock.ts";
import { JobParams, NameParams } from "../src/modules/jobs/schema.ts";
import { flag, type readArgs, text, type Wrong, wrongUse } from "./args.ts";

export const options = {
  name: text,
  queue: text,
  state: text,
  since: text,
  limit: text,
  attempts: text,
  "older-than": text,
  yes: flag,
  reason: text,
  json: flag,
  help: { type: "boolean", short: "h" },
} as const;
export type Option = keyof typeof options;
export type Values = ReturnType<typeof readArgs<typeof options>>["values"];

export const wrong: Wrong = wrongUse("jobs", 1);

const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

export interface JobInput {
  values: Values;
  /** The word after the command's name, as it was written. */
  target: string | undefined;
  id(): string;
  name(of: "type" | "queue"): string;
  number(option: "limit" | "attempts"): number | undefined;
  /** `--limit`, which is not 0. */
  limit(otherwise: number): number;
  seconds(option: "older-than"): number;
  since(): string | undefined;
}

export function jobInput(values: Values, target: string | undefined): JobInput {
  function number(option: "limit" | "attempts") {
    const text = values[option];
    if (text === undefined) return undefined;
    return /^\d{1,9}$/.test(text) ? Number(text) : wrong(`--${option} has to be a whole number.`);
  }
  return {
    values,
    target,
    number,
    id() {
      const result = JobParams.safeParse({ id: target });
      return result.success ? result.data.id : wrong(`"${target}" is no id of a job.`);
    },
    name(of) {
      const result = NameParams.safeParse({ name: target });
      return result.success ? result.data.name : wrong(`"${target}" is no name of a ${of}.`);
    },
    limit(otherwise) {
      const limit = number("limit") ?? otherwise;
      return limit >= 1 ? limit : wrong("--limit has to be a whole number from 1.");
    },
    seconds: (option) =>
      secondsOf(values[option] ?? "") ?? wrong(`--${option} has to be a time such as 30s, 15m, 2h or 7d.`),
    since() {
      const { since } = values;
      if (since === undefined) return undefined;
      const ago = secondsOf(since);
      const ms = ago !== null ? systemClock.now() - ago * 1000 : isTime(since) ? Date.parse(since) : Number.NaN;
      // Long before there were jobs; a year without four digits is none that databases know.
      return ms >= 0 ? toInstant(ms) : wrong("--since has to be a time such as 2h, or 2026-01-31T09:30:00.000Z.");
    },
  };
}

/** `Date.parse` alone takes the 31st of February for the 3rd of March. */
const time = z.union([z.iso.date(), z.iso.datetime({ offset: true, local: true })]);
const isTime = (text: string) => time.safeParse(text).success;

function secondsOf(text: string): number | null {
  const [, n, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  return n && unit ? Number(n) * (SECONDS[unit] as number) : null;
}

export function parsed<S extends z.ZodType>(schema: S, value: unknown, what?: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  return wrong(`--${what ?? String(issue?.path[0] ?? "")} is not as expected: ${issue?.message}.`);
}
