import { expect, test } from "bun:test";
import { instantFromPg } from "../../db/kit.ts";

test.each([
  ["2026-01-31 09:30:00+00", "2026-01-31T09:30:00.000Z"],
  ["2026-01-31 09:30:00.5+00", "2026-01-31T09:30:00.500Z"],
  ["2026-01-31T09:30:00.123+00:00", "2026-01-31T09:30:00.123Z"],
])("a time of a session in UTC is read as it is: %s", (text, instant) => {
  expect(instantFromPg(text)).toBe(instant);
});

test.each([
  ["2026-01-31 12:30:00.5+03", "2026-01-31T09:30:00.500Z"],
  ["2026-01-31T12:30:00.5+03:00", "2026-01-31T09:30:00.500Z"],
  ["2026-01-31 15:00:00+05:30", "2026-01-31T09:30:00.000Z"],
  ["2026-01-31 04:30:00.123-05", "2026-01-31T09:30:00.123Z"],
])("a time of a session in another zone is the same moment: %s", (text, instant) => {
  expect(instantFromPg(text)).toBe(instant);
});
