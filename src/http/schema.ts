/** The building blocks of inputs and outputs. Every text is bounded and can be stored as it is. */
import { z } from "zod";
import { type IdPrefix, idPattern } from "../core/id.ts";
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

export const instant = () => z.iso.datetime({ precision: 3 }).length(24);

/** What every resource shows of itself. */
export const baseDto = (prefix: IdPrefix) => ({
  id: id(prefix).describe("Sorts by the time of its making."),
  createdAt: instant().describe("When it was made. ISO-8601, UTC, milliseconds."),
  updatedAt: instant().describe("When it last changed."),
  version: z.int().min(1).max(2_147_483_647).describe("Rises by one with each change; its entity tag."),
});
