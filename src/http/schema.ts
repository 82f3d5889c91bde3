/** The building blocks of inputs and outputs. Every text is bounded and can be stored as it is. */
import { z } from "zod";
import { type IdPrefix, idPattern } from "../core/id.ts";
import { NAME } from "../core/name.ts";
import { storable } from "./body.ts";

/**
 * Patterns mean the same with and without the flag `u`, because readers of the OpenAPI document use either. So no `\p{…}`, and lone
 * surrogates are told by `storable` alone.
 */
const CONTROLS = "\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029";
const oneLine = new RegExp(`^[^${CONTROLS}]*$`);
const noNul = /^[^\0]*$/;

/** A text without line breaks and other control characters. */
export const plainText = (max: number) => z.string().max(max).regex(oneLine, "has control characters");

/** A text of 1 to `max` characters, trimmed; without line breaks and other control characters. */
export const line = (max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    .regex(oneLine, "has control characters")
    .refine(storable, "has characters that are not text");

/** A text of up to `max` characters that may have line breaks. */
export const prose = (max: number) =>
  z
    .string()
    .max(max)
    .regex(noNul, "has characters that are not text")
    .refine(storable, "has characters that are not text");

/** An address as it is compared: in lower case. RFC 5321 allows 254 characters in all. */
export const email = () => z.email().max(254).toLowerCase();

export const id = (prefix: IdPrefix) =>
  z
    .string()
    .length(prefix.length + 27)
    .regex(idPattern(prefix));

/** A name that code gives to something. */
export const name = () =>
  z.string().max(100).regex(NAME, "is not a name of 1 to 100 letters, digits, `_`, `.`, `:` and `-`");

/** From the year 1 on: PostgreSQL knows no year 0. */
export const instant = () =>
  z.iso
    .datetime({ precision: 3 })
    .length(24)
    .refine((text) => !text.startsWith("0000"), "is before the year 1");

/**
 * For outputs: that a value is there and of its type is checked, and its form is told to readers of the document. It was checked when it
 * came in; matching every pattern again took a quarter of the time of a list.
 */
export const shown = {
  id: (prefix: IdPrefix) => {
    const length = prefix.length + 27;
    return z.string().meta({ minLength: length, maxLength: length, pattern: idPattern(prefix).source });
  },
  instant: () => z.string().meta({ format: "date-time", minLength: 24, maxLength: 24 }),
  email: () => z.string().meta({ format: "email", maxLength: 254 }),
  name: () => z.string().meta({ minLength: 1, maxLength: 100, pattern: NAME.source }),
  line: (max: number) => z.string().meta({ minLength: 1, maxLength: max, pattern: oneLine.source }),
  prose: (max: number) => z.string().meta({ maxLength: max, pattern: noNul.source }),
};

/** The member of a row on which a route with `permissions` tells what the actor may do to it (policy/fields.ts). */
export const permissions = (changes: readonly [string, ...string[]]) =>
  z
    .object({
      read: z.boolean(),
      update: z.array(z.enum(changes)).max(changes.length).describe("The fields that it may set; none: no change."),
      delete: z.boolean(),
    })
    .optional()
    .describe("What this actor may do to it, where `include=permissions` asks for that.");

/** What every resource shows of itself. */
export const baseDto = (prefix: IdPrefix) => ({
  id: shown.id(prefix).describe("Sorts by the time of its making."),
  createdAt: shown.instant().describe("When it was made. ISO-8601, UTC, milliseconds."),
  updatedAt: shown.instant().describe("When it last changed."),
  version: z
    .int()
    .meta({ minimum: 1, maximum: 2_147_483_647, description: "Rises by one with each change; its entity tag." }),
});
