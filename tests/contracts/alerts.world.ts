/** What tests of alerts have in common: a receiver of webhooks, and an instance with a worker whose jobs end as they are told. */
import { Webhook } from "standardwebhooks";
import { z } from "zod";
import { Secret } from "../../src/core/secret.ts";
import { createAlertRules } from "../../src/modules/jobs/alert-rules.ts";
import { createAlertWatch } from "../../src/modules/jobs/alerts.ts";
import type { Alerts } from "../../src/ports/alert/port.ts";
import { createWebhookAlerts } from "../../src/ports/alert/webhook.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import { defineJob, handle, PermanentError } from "../../src/ports/queue/define.ts";
import { createJobEvents } from "../../src/ports/queue/events.ts";
import { createJobMinutes } from "../../src/ports/queue/minutes.ts";
import { createQueue } from "../../src/ports/queue/queue.ts";
import { createJobStore } from "../../src/ports/queue/store.ts";
import { createWorker } from "../../src/ports/queue/worker.ts";
import { movingClock } from "./limits.ts";

export const silent = createConsoleLog({ level: "silent", print: () => {} });
export const SECRET = `whsec_${Buffer.from("a secret of thirty-two bytes ...").toString("base64")}`;
export const MINUTE = 60_000;
const thresholds = { windowMs: 5 * MINUTE, failures: 3, waitingMs: 5 * MINUTE };

export interface Received {
  type: string;
  timestamp: string;
  data: { kind: string; subject: string; state: string; message: string; detail: Record<string, unknown> };
}

/** A server that verifies what it is sent, as a receiver would. */
export function receiver() {
  const received: Received[] = [];
  const ids: string[] = [];
  const refused: string[] = [];
  /** Also of those that are not answered. */
  const asked: string[] = [];
  const now = { status: 204, hangs: false };
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      const body = await request.text();
      const headers = Object.fromEntries(request.headers);
      asked.push(headers["webhook-id"] ?? "");
      if (now.hangs) await Bun.sleep(60_000);
      ids.push(headers["webhook-id"] ?? "");
      try {
        const value = new Webhook(SECRET).verify(body, headers) as Received;
        if (now.status < 300) received.push(value);
      } catch (error) {
        refused.push(String(error));
        return new Response(null, { status: 401 });
      }
      const location = { location: "/elsewhere" };
      return new Response("answer", { status: now.status, ...(now.status === 302 && { headers: location }) });
    },
  });
  return { received, ids, refused, asked, now, url: server.url.href, stop: () => server.stop(true) };
}
export type Receiver = ReturnType<typeof receiver>;

export const broken = defineJob({
  name: "mail.send",
  input: z.object({ how: z.enum(["die", "fail", "work"]) }),
  retry: { attempts: 50 },
});

export function alertWorld(db: Db, hook: Receiver) {
  const clock = movingClock();
  const events = createJobEvents({ log: silent });
  const minutes = createJobMinutes({ db, events, log: silent, timer: false });
  const store = createJobStore(db);
  const queue = createQueue({ db, clock });
  const mail = handle(broken, ({ how }) => {
    if (how === "die") throw new PermanentError("the address ada@example.com is refused");
    if (how === "fail") throw new Error("the server is away");
  });
  const worker = createWorker({
    store,
    handlers: [mail],
    dispatch: databaseDispatch,
    events,
    clock,
    log: silent,
    concurrency: 10,
  });
  const webhook = createWebhookAlerts({
    url: new Secret(hook.url),
    secret: new Secret(SECRET),
    clock: { now: Date.now },
  });
  const watch = (alerts: Alerts = webhook) =>
    createAlertWatch({
      db,
      alerts,
      clock,
      log: silent,
      find: createAlertRules({ db, thresholds, names: [broken.name] }),
    });
  const told = () => hook.received.map(({ type, data }) => `${type} ${data.kind} ${data.subject}`);
  return {
    clock,
    queue,
    watch,
    told,
    run: async () => {
      await worker.runOnce();
      await minutes.flush();
    },
    end: () => worker.stop(0),
  };
}
