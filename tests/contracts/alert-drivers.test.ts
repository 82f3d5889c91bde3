/** What brings an alert to somebody. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { toInstant } from "../../src/core/clock.ts";
import { Secret } from "../../src/core/secret.ts";
import { createLogAlerts } from "../../src/ports/alert/log.ts";
import { createWebhookAlerts } from "../../src/ports/alert/webhook.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { type Received, type Receiver, receiver, SECRET } from "./alerts.world.ts";

describe("the webhook", () => {
  const alert = {
    id: "alrt_1",
    messageId: "alrt_1.raised",
    state: "raised",
    kind: "job.dead",
    subject: "mail.send",
    message: "1 job of mail.send died within 5 minutes.",
    detail: { dead: 1 },
    since: toInstant(Date.now()),
    at: toInstant(Date.now()),
  } as const;
  let hook: Receiver;
  beforeEach(() => {
    hook = receiver();
  });
  afterEach(() => hook.stop());
  const open = (options: { secret?: string; timeoutMs?: number } = {}) =>
    createWebhookAlerts({
      url: new Secret(hook.url),
      secret: new Secret(options.secret ?? SECRET),
      clock: { now: Date.now },
      ...(options.timeoutMs && { timeoutMs: options.timeoutMs }),
    });

  test("is signed so that a receiver can verify it", async () => {
    await open().tell(alert);
    const { messageId: _, ...data } = alert;
    expect(hook.received).toEqual([{ type: "alert.raised", timestamp: alert.at, data: { ...data } } as Received]);
    expect(hook.ids).toEqual(["alrt_1.raised"]);
  });

  test("with another secret is refused by the receiver, and that is a failure", async () => {
    const other = `whsec_${Buffer.from("another secret of 32 bytes .....").toString("base64")}`;
    await expect(open({ secret: other }).tell(alert)).rejects.toThrow("the webhook answered 401");
    expect(hook.refused).toHaveLength(1);
  });

  test.each([302, 400, 500, 503])("that is answered with %d has not arrived", async (status) => {
    hook.now.status = status;
    await expect(open().tell(alert)).rejects.toThrow(`the webhook answered ${status}`);
    expect(hook.ids).toHaveLength(1);
  });

  test("that is not answered in time, or by nobody, has not arrived", async () => {
    hook.now.hangs = true;
    await expect(open({ timeoutMs: 100 }).tell(alert)).rejects.toThrow();
    await hook.stop();
    await expect(open().tell(alert)).rejects.toThrow();
  });
});

test("the log driver writes what was raised as an error, and what was cleared as information", async () => {
  const lines: Record<string, unknown>[] = [];
  const alerts = createLogAlerts({
    log: createConsoleLog({ level: "info", print: (line) => lines.push(JSON.parse(line)) }),
  });
  const alert = {
    id: "alrt_1",
    messageId: "m",
    kind: "job.dead",
    subject: "a",
    detail: { dead: 1 },
    since: "s",
    at: "a",
  };
  await alerts.tell({ ...alert, state: "raised", message: "it broke" });
  await alerts.tell({ ...alert, state: "cleared", message: "Cleared: it broke" });
  expect(lines).toMatchObject([
    { level: "error", msg: "it broke", kind: "job.dead", subject: "a", state: "raised", detail: { dead: 1 } },
    { level: "info", msg: "Cleared: it broke", state: "cleared" },
  ]);
});
