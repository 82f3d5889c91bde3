/**
 * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): a write that is sent again is answered as it was the first time.
 *
 * There is no "in progress" record that a crash could leave behind. The stored answer commits with the mutation, and its id is unique: of
 * two requests with one key that run at the same time one commits, and the other's whole list is undone by the unique constraint; it then
 * answers what the first has stored. Only answers of success are stored; a refused request may be tried again with the same key.
 */
import { identityOf } from "../core/actor.ts";
import { toInstant } from "../core/clock.ts";
import { AppError } from "../core/error.ts";
import type { KeptAnswer } from "../policy/context.ts";
import { type Facts, factsOf, type HttpContext } from "./facts.ts";
import { respond } from "./respond.ts";
import type { Route } from "./route.ts";
import type { Step } from "./step.ts";

/** Where answers are kept. Implemented by modules/idempotency. */
export interface AnswerStore {
  /** The answer that was kept under this id and has not expired. */
  find(id: string): Promise<KeptAnswer | null>;
  /** For a write that changed nothing, so that there was no list to commit the answer with. */
  put(answer: KeptAnswer): Promise<void>;
}

/** The key under which this request's answer is kept, and whether a verb has kept it. */
export interface Claim {
  id: string;
  fingerprint: string;
  expiresAt: string;
  kept: boolean;
}

const KEY = /^[\x21-\x7e]{1,255}$/;
const KEPT_MS = 24 * 60 * 60 * 1000;

export const idempotency =
  (route: Route, answers: AnswerStore): Step =>
  async (c, next) => {
    const header = c.req.raw.headers.get("idempotency-key");
    if (header === null) return next();
    // The draft makes it a structured string, in quotes; most clients send it bare.
    const key = header.replace(/^"(.*)"$/, "$1");
    if (!KEY.test(key)) {
      throw new AppError("malformed_request", {
        detail: "The Idempotency-Key is not 1 to 255 visible ASCII characters.",
      });
    }
    const facts = factsOf(c);
    const claim: Claim = {
      id: `idem_${(await digest(`${owner(facts)}\n${key}`)).slice(0, 40)}`,
      fingerprint: await digest(`${route.method} ${c.req.path}\n`, c.get("input").bytes),
      expiresAt: toInstant(facts.clock + KEPT_MS),
      kept: false,
    };
    const before = await find(answers, claim);
    if (before) return replay(c, before);

    c.set("claim", claim);
    try {
      return await next();
    } catch (error) {
      // Whoever lost the race was undone by the unique constraint, or was refused because the winner had changed the row (412) or deleted it
      // (404) by then. The winner's answer is there in each case; without one the refusal stands.
      const refused = error instanceof AppError && error.status < 500;
      const first = refused ? await find(answers, claim) : null;
      if (!first) throw error;
      return replay(c, first);
    }
  };

/** Another client's key is another key. Strangers are told apart by address. */
const owner = (facts: Facts): string => identityOf(facts.actor) ?? `${facts.actor.type}:${facts.address}`;

async function find(answers: AnswerStore, { id, fingerprint }: Claim): Promise<KeptAnswer | null> {
  const answer = await answers.find(id);
  if (!answer) return null;
  if (answer.fingerprint !== fingerprint) throw new AppError("idempotency_key_reused");
  return answer;
}

const replay = (c: HttpContext, { status, headers, body }: KeptAnswer): Response =>
  respond(c, status, status === 204 ? null : body, { ...headers, "idempotent-replayed": "true" });

async function digest(head: string, bytes: Uint8Array = new Uint8Array()): Promise<string> {
  const prefix = new TextEncoder().encode(head);
  const all = new Uint8Array(prefix.length + bytes.length);
  all.set(prefix);
  all.set(bytes, prefix.length);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
