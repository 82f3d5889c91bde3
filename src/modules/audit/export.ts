/**
 * The trail as lines of JSON that prove themselves (NDJSON), written page by page:
 *
 *     {"hearth":"audit","version":1,"after":0}
 *     {"position":0,"id":"aud_…","leaf":"…","entry":{…}}       a sealed entry; null where it is gone. SHA-256(0x00 ‖ its text) is its leaf
 *     {"position":1,"id":"aud_…","leaf":"…","masked":{…}}      one of which the reader may not see all; its leaf stands in for it
 *     {"seal":"<JWS>","peaks":["…"]}                           over all entries so far
 *     {"id":"aud_…","entry":{…}}                               one that is not sealed yet
 *     {"end":{"seals":1,"entries":3}}                          what is cut off behind here is missed
 *
 * The text of an entry is RFC 8785's, so whoever has the file needs no JSON library to check it.
 */
import type { Db } from "../../ports/db/port.ts";
import { byId, canonical, type Entry } from "./entry.ts";
import { createAuditStore } from "./store.ts";

export interface ExportOptions {
  /** Begin behind this seal: what came before was exported already. */
  after?: number;
  /** What the reader may see of an entry: the entry itself when that is all. Default: everything. */
  shown?: (entry: Entry) => Entry;
  signal?: AbortSignal;
}

const PAGE = 500;
const WINDOW = 2000;

export class NoSuchSeal extends Error {}

/** Each text holds one or more whole lines. Throws a NoSuchSeal before the first. */
export async function* exportLines(db: Db, options: ExportOptions = {}): AsyncGenerator<string, void, undefined> {
  const { after = 0, shown = (entry: Entry) => entry, signal } = options;
  const store = createAuditStore(db);
  const start = after === 0 ? null : await store.seal(after);
  if (after !== 0 && !start) throw new NoSuchSeal(`there is no seal ${after}`);
  let lines = `${JSON.stringify({ hearth: "audit", version: 1, after })}\n`;
  if (start) lines += sealLine(start);
  yield lines;

  const body = (entry: Entry | null): string => {
    if (entry === null) return '"entry":null';
    const visible = shown(entry);
    return visible === entry ? `"entry":${canonical(entry)}` : `"masked":${canonical(visible)}`;
  };
  let seals = 0;
  let entries = 0;
  let position = start?.size ?? 0;
  for (let number = after, more = true; more; ) {
    const next = await store.sealsAfter(number);
    more = next.length > 0;
    for (const seal of next) {
      while (position < seal.size) {
        if (signal?.aborted) return;
        const page = await store.placed(position, seal.size, PAGE);
        entries += page.length;
        yield page
          .map((row) => `{"position":${row.position},"id":"${row.id}","leaf":"${row.hash}",${body(row.entry)}}\n`)
          .join("");
        position = page.length < PAGE ? seal.size : (page.at(-1)?.position ?? seal.size) + 1;
      }
      yield sealLine(seal);
      seals++;
      number = seal.number;
    }
  }

  // What is open lies near the end, and seldom far back: the whole trail is looked at, by ids alone.
  for (let from: string | null = ""; from !== null && !signal?.aborted; ) {
    const { entries: open, end }: Awaited<ReturnType<typeof store.open>> = await store.open(from, WINDOW);
    entries += open.length;
    if (open.length > 0)
      yield open
        .toSorted(byId)
        .map((entry) => `{"id":"${entry.id}",${body(entry)}}\n`)
        .join("");
    from = end;
  }
  yield `${JSON.stringify({ end: { seals, entries } })}\n`;
}

const sealLine = ({ jws, peaks }: { jws: string; peaks: string[] }) => `${JSON.stringify({ seal: jws, peaks })}\n`;
