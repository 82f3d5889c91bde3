/** What is under way: finds, and the loads that all callers of a key share. A change of a key or a tag voids what began before it. */
import { type Clock, isWithin } from "../../core/clock.ts";
import type { Log } from "../log/port.ts";
import type { Entry } from "./entry.ts";
import type { Loader } from "./load.ts";
import { MAX_LOAD_MS, type Outcome, type RememberOptions } from "./port.ts";
import type { Shelf, Work } from "./shelf.ts";

/** A find and, when it comes to that, a load. */
export interface Flight extends Work {
  /** What is answered while a new value is made. */
  meanwhile: Entry | null;
  answer: Promise<Answer>;
}

interface Answer {
  value: unknown;
  outcome: Outcome;
}

export interface Flights {
  /** The latest of the key that is neither voided nor too old. Its old value is for everybody; its answer is not on Workers. */
  of(key: string): Flight | undefined;
  start(key: string, load: () => unknown, options: RememberOptions): Flight;
  /** A find alone. */
  find(key: string): Promise<{ entry: Entry | null; bypassed: boolean }>;
  /** What fits keeps nothing from now on, and nobody new joins it. */
  void(fits: (work: Work) => boolean): void;
}

interface FlightsOptions {
  clock: Clock;
  log: Log;
  shelf: Shelf;
  loader: Loader;
  background: (work: Promise<unknown>) => void;
}

/** After a load that failed and was covered by an old value, how long that value is answered without trying again. */
const REST_MS = 1_000;
const MAX_RESTING = 10_000;

/** On Workers the work of a request that was cut never ends. Beyond this many the oldest is given up. */
const MAX_UNDERWAY = 50_000;

export function createFlights({ clock, log, shelf, loader, background }: FlightsOptions): Flights {
  const underway = new Set<Work>();
  const latest = new Map<string, Flight>();
  /** When the load of a key failed. */
  const resting = new Map<string, number>();

  function rest(key: string) {
    if (resting.size >= MAX_RESTING) resting.clear();
    resting.set(key, clock.now());
  }

  function begin(one: Work) {
    if (underway.size >= MAX_UNDERWAY) {
      for (const oldest of underway) {
        giveUp(oldest);
        break;
      }
    }
    underway.add(one);
  }

  function giveUp(one: Work) {
    one.voided = true;
    one.release?.();
    underway.delete(one);
  }

  function end(flight: Flight) {
    underway.delete(flight);
    if (latest.get(flight.key) === flight) latest.delete(flight.key);
  }

  async function fly(flight: Flight, load: () => unknown, options: RememberOptions): Promise<Answer> {
    const found = await shelf.find(flight);
    const now = clock.now();
    if (!found) return made(flight, load, options);
    const old: Answer = { value: found.value, outcome: "stale" };
    if (now < found.freshUntil) return { ...old, outcome: flight.bypassed ? "bypass" : "hit" };
    if (isWithin(REST_MS, resting.get(flight.key) ?? Number.NEGATIVE_INFINITY, now)) return old;

    const making = made(flight, load, options).then(
      (answer) => {
        resting.delete(flight.key);
        return answer;
      },
      (error) => {
        rest(flight.key);
        throw error;
      },
    );
    if (now < found.staleUntil) {
      flight.meanwhile = found;
      // Not the key, which may hold personal data.
      const namespace = flight.key.slice(0, flight.key.indexOf(":"));
      const failed = (err: unknown) => log.warn({ err, namespace }, "a stale value could not be made anew");
      background(making.then(() => {}, failed).then(() => end(flight)));
      return old;
    }
    return making.catch((error) => {
      if (clock.now() < found.keptUntil && !flight.voided) return old;
      throw error;
    });
  }

  const made = async (flight: Flight, load: () => unknown, options: RememberOptions): Promise<Answer> => ({
    value: await loader.load(flight, load, options),
    outcome: flight.bypassed ? "bypass" : "miss",
  });

  return {
    of(key) {
      const flight = latest.get(key);
      if (!flight || isWithin(MAX_LOAD_MS, flight.began, clock.now())) return flight;
      latest.delete(key);
      giveUp(flight);
      return undefined;
    },

    start(key, load, options) {
      const flight: Flight = {
        ...work(key, options.tags ?? [], clock.now()),
        meanwhile: null,
        answer: undefined as never,
      };
      begin(flight);
      latest.set(key, flight);
      flight.answer = fly(flight, load, options).finally(() => {
        if (!flight.meanwhile) end(flight);
      });
      return flight;
    },

    async find(key) {
      const finding = work(key, [], clock.now());
      begin(finding);
      const entry = await shelf.find(finding);
      underway.delete(finding);
      return { entry, bypassed: finding.bypassed };
    },

    void(fits) {
      for (const one of underway) {
        if (!fits(one)) continue;
        one.voided = true;
        one.release?.();
        if (latest.get(one.key) === one) latest.delete(one.key);
      }
    },
  };
}

const work = (key: string, tags: readonly string[], began: number): Work => ({
  key,
  tags,
  began,
  voided: false,
  replaces: false,
  release: null,
  bypassed: false,
});
