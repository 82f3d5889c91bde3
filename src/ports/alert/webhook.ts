/**
 * Alerts as signed requests: Standard Webhooks (github.com/standard-webhooks/standard-webhooks). The receiver verifies `webhook-signature`
 * with the shared secret, refuses an old `webhook-timestamp`, and knows a repetition by `webhook-id`.
 */
import { Webhook } from "standardwebhooks";
import type { Clock } from "../../core/clock.ts";
import type { Secret } from "../../core/secret.ts";
import type { Alerts } from "./port.ts";

interface Options {
  url: Secret;
  /** `whsec_` and base64. */
  secret: Secret;
  clock: Clock;
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  timeoutMs?: number;
}

export function createWebhookAlerts(options: Options): Alerts {
  const { url, secret, clock, fetch: send = (target, init) => fetch(target, init), timeoutMs = 10_000 } = options;
  const webhook = new Webhook(secret.reveal());
  return {
    driver: "webhook",
    async tell({ messageId, ...data }, signal) {
      const timeout = AbortSignal.timeout(timeoutMs);
      const at = new Date(clock.now());
      const body = JSON.stringify({ type: `alert.${data.state}`, timestamp: data.at, data });
      const answer = await send(url.reveal(), {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "user-agent": "hearth",
          "webhook-id": messageId,
          "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
          "webhook-signature": webhook.sign(messageId, at, body),
        },
        body,
        // Whoever answers a redirect has not taken the message.
        redirect: "manual",
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      await answer.body?.cancel();
      if (!answer.ok) throw new Error(`the webhook answered ${answer.status}`);
    },
  };
}
