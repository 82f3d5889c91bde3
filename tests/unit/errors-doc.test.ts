import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { errorsDoc } from "../../scripts/errors-doc.ts";
import { errors } from "../../src/core/error.ts";
import { errorsPage } from "../../src/http/errors-page.ts";

test("docs/errors.md is what scripts/errors-doc.ts writes", () => {
  expect(readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8")).toBe(errorsDoc());
});

test("the page of the error codes has an anchor for each code, and no other", () => {
  const anchors = [...errorsPage().matchAll(/<section id="([^"]+)">/g)].map(([, code]) => code);
  expect(anchors).toEqual(Object.keys(errors));
});

test("the page of the error codes escapes its texts and has no script", () => {
  const page = errorsPage();
  expect(page).toContain("Bearer &lt;accessToken&gt;");
  expect(page).not.toContain("<accessToken>");
  expect(page).not.toMatch(/<script|javascript:| on\w+=/i);
});
