/** The documentation in a real browser. No browser is downloaded: the system's Chromium is used, and without one the tests are skipped. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync } from "node:fs";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { type Server, startServer } from "../helpers/server.ts";

const executablePath = "/usr/bin/chromium";
const found = existsSync(executablePath);
const screenshots = new URL("../../.cache/", import.meta.url).pathname;

test.skipIf(!found && process.env.CI !== "true")("Chromium is installed where every test has to run", () => {
  expect(found).toBe(true);
});

describe.skipIf(!found)(`in Chromium${found ? "" : ` (skipped: there is no ${executablePath})`}`, () => {
  let server: Server;
  let browser: Browser;
  beforeAll(async () => {
    mkdirSync(screenshots, { recursive: true });
    [server, browser] = await Promise.all([
      startServer({ runtime: "bun", database: "sqlite::memory:" }),
      chromium.launch({ executablePath, args: ["--no-sandbox"] }),
    ]);
  });
  afterAll(() => Promise.all([browser?.close(), server?.stop()]));

  /** Opens a page, and tells what it asked of other hosts and what the browser complained of. */
  async function open(path: string, options: BrowserContextOptions, use: (page: Page) => Promise<void>) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const elsewhere: string[] = [];
    const complaints: string[] = [];
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${server.url}/`) && !url.startsWith("data:")) elsewhere.push(url);
    });
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(server.url + path);
    await use(page);
    await context.close();
    expect({ elsewhere, complaints }).toEqual({ elsewhere: [], complaints: [] });
  }

  const views: [string, BrowserContextOptions][] = [
    ["light", { colorScheme: "light", viewport: { width: 1280, height: 900 } }],
    ["dark", { colorScheme: "dark", viewport: { width: 1280, height: 900 } }],
    ["narrow", { colorScheme: "light", viewport: { width: 390, height: 844 } }],
  ];

  test.each(views)(
    "the reference shows the operations, and asks nothing of another host (%s)",
    async (name, options) => {
      await open("/docs#tag/users/GET/v1/users", options, async (page) => {
        await page.getByRole("heading", { name: "List accounts" }).first().waitFor();
        await page.getByText("filter[role][in]").first().waitFor();
        await page.screenshot({ path: `${screenshots}docs-${name}.png` });
        const wider = await page.evaluate(
          "document.documentElement.scrollWidth - document.documentElement.clientWidth",
        );
        expect(wider).toBe(0);
      });
    },
  );

  test.each(views)("the page of the error codes opens at the code that a problem names (%s)", async (name, options) => {
    await open("/docs/errors#invalid_cursor", options, async (page) => {
      expect(await page.locator("section:target code").first().textContent()).toBe("invalid_cursor");
      const wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
      expect(wider).toBe(0);
      await page.screenshot({ path: `${screenshots}errors-${name}.png` });
    });
  });

  test("a request can be tried out, and goes to where the page came from", async () => {
    await open("/docs#tag/health/GET/version", {}, async (page) => {
      await page.getByRole("heading", { name: "Show the version" }).first().waitFor();
      await page
        .getByRole("button", { name: /Test Request.*\/version/i })
        .first()
        .click();
      const answered = page.waitForResponse(`${server.url}/version`);
      await page.getByRole("button", { name: /^Send/ }).first().click();
      expect((await answered).status()).toBe(200);
    });
  });

  test("without JavaScript the page leads to the document", async () => {
    await open("/docs", { javaScriptEnabled: false }, async (page) => {
      const link = page.getByRole("link", { name: "OpenAPI document" });
      expect(await link.getAttribute("href")).toBe("openapi.json");
      await link.click();
      expect(page.url()).toBe(`${server.url}/openapi.json`);
    });
  });
});
