import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { secretNames } from "../../db/tables.ts";
import { assertNoSecrets } from "../../src/http/no-secrets.ts";

const answering = (answer: z.ZodType) => () => assertNoSecrets("leak", answer, secretNames);

test("the tables name their secret columns", () => {
  expect([...secretNames].sort()).toEqual(["passwordHash", "tokenHash"]);
});

describe.each([...secretNames])("a route whose answer names %s stops the start", (name) => {
  const secret = z.object({ [name]: z.string() });
  const message = (path: string) => `The answer of leak names the secret column ${path}${name}.`;

  test("at the top", () => expect(answering(secret)).toThrow(message("")));
  test("in an object", () => expect(answering(z.object({ user: secret }))).toThrow(message("user.")));
  test("in an array", () => expect(answering(z.object({ users: z.array(secret) }))).toThrow(message("users.")));
  test("in a union", () => expect(answering(z.union([z.string(), secret]))).toThrow(message("")));
  test("in a tuple", () => expect(answering(z.tuple([z.string(), secret]))).toThrow(message("")));
  test("in a record", () => expect(answering(z.record(z.string(), secret))).toThrow(message("")));
  test("in an intersection", () => expect(answering(z.intersection(z.object({}), secret))).toThrow(message("")));
  test("where it may be missing, null or by default", () =>
    expect(answering(secret.nullable().default(null).optional())).toThrow(message("")));
  test("behind a transform", () => expect(answering(z.pipe(z.unknown(), secret))).toThrow(message("")));
  test("behind a lazy schema", () => expect(answering(z.lazy(() => secret))).toThrow(message("")));
});

test("a route that answers other columns starts", () => {
  expect(answering(z.object({ email: z.string(), remark: z.string().nullable() }))).not.toThrow();
});
