/** Seals as requests to a receiver that keeps them. A seal is signed, so the request needs no signature of its own. */
import type { Secret } from "../../core/secret.ts";
import type { Anchor } from "./port.ts";

interface Options {
  /** May hold a token, so only its host is ever shown. */
  url: Secret;
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  timeoutMs?: number;
}

export function createWebhookAnchor({
  url,
  fetch: send = (...call) => fetch(...call),
  timeoutMs = 10_000,
}: Options): Anchor {
  return {
    name: `webhook:${new URL(url.reveal()).host}`,
    async put(jws) {
      const answer = await send(url.reveal(), {
        method: "POST",
        headers: { "content-type": "application/jose", "user-agent": "hearth" },
        body: jws,
        // Whoever answers a redirect has not kept it.
        redirect: "manual",
        signal: AbortSignal.timeout(timeoutMs),
      });
      await answer.body?.cancel();
      if (!answer.ok) throw new Error(`the anchor answered ${answer.status}`);
    },
  };
}
