/** What every driver of the bus does, under whatever runtime, and what those with a server do besides. */
import assert from "node:assert/strict";
import type { Bus } from "../../src/ports/bus/port.ts";

interface BusCase {
  name: string;
  /** `open` makes one more instance; each is closed after the case. */
  run(open: () => Bus): Promise<void>;
}

let topics = 0;
/** A topic that no other case uses, nor another run on the same server. */
const newTopic = () => `case-${process.pid}-${Date.now()}-${topics++}`;

export interface Ear {
  heard: string[];
  missed: number;
  /** Resolves when this many messages have been heard, or this many times something was missed. */
  until(fits: (ear: Ear) => boolean): Promise<void>;
  stop(): void;
}

export function listen(bus: Bus, topic: string): Ear {
  const waiting = new Set<() => void>();
  const look = () => {
    for (const check of [...waiting]) check();
  };
  const ear: Ear = {
    heard: [],
    missed: 0,
    until: (fits) =>
      new Promise((resolve, reject) => {
        const end = (act: () => void) => {
          clearTimeout(timer);
          waiting.delete(check);
          act();
        };
        const check = () => fits(ear) && end(resolve);
        const timer = setTimeout(
          () => end(() => reject(new Error(`heard ${ear.heard.length}, missed ${ear.missed} within 5 s`))),
          5000,
        );
        waiting.add(check);
        check();
      }),
    stop: bus.subscribe(topic, {
      message(text) {
        ear.heard.push(text);
        look();
      },
      missed() {
        ear.missed++;
        look();
      },
    }),
  };
  return ear;
}

export const numbered = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `user:${from + i}`);

export const busCases: BusCase[] = [
  {
    name: "an instance hears its own message before `publish` returns, once a subscription",
    async run(open) {
      const bus = open();
      const topic = newTopic();
      const [one, two, other] = [listen(bus, topic), listen(bus, topic), listen(bus, newTopic())];
      await bus.ready();
      bus.publish(topic, "user:1");
      assert.deepEqual([one.heard, two.heard, other.heard], [["user:1"], ["user:1"], []]);
    },
  },
  {
    name: "whoever has stopped listening is not told, and the others are",
    async run(open) {
      const bus = open();
      const topic = newTopic();
      const [one, two] = [listen(bus, topic), listen(bus, topic)];
      one.stop();
      one.stop();
      bus.publish(topic, "a");
      assert.deepEqual([one.heard, two.heard], [[], ["a"]]);
    },
  },
  {
    name: "a listener that fails hurts neither the one who publishes nor another listener",
    async run(open) {
      const bus = open();
      const topic = newTopic();
      const fail = () => {
        throw new Error("a listener's fault");
      };
      bus.subscribe(topic, { message: fail, missed: fail });
      const ear = listen(bus, topic);
      await bus.ready();
      bus.publish(topic, "a");
      assert.deepEqual(ear.heard, ["a"]);
    },
  },
  {
    name: "4 KiB are carried whole, and more is refused where it is published",
    async run(open) {
      const bus = open();
      const topic = newTopic();
      const ear = listen(bus, topic);
      const room = 4096 - JSON.stringify([topic, ""]).length + 2;
      for (const text of ["x".repeat(room), "ü".repeat(room / 2), "\u0000".repeat(room / 6)]) {
        bus.publish(topic, text);
        assert.equal(ear.heard.at(-1), text);
      }
      for (const text of ["x".repeat(room + 1), "ü".repeat(room / 2 + 1), "\u0000".repeat(room / 6 + 1)]) {
        assert.throws(() => bus.publish(topic, text), RangeError);
      }
      assert.equal(ear.heard.length, 3);
    },
  },
  {
    name: "a bus that is closed says nothing more, and does not fail",
    async run(open) {
      const bus = open();
      const topic = newTopic();
      const ear = listen(bus, topic);
      await bus.close();
      bus.publish(topic, "a");
      await bus.close();
      await bus.ready();
      assert.deepEqual(ear.heard, []);
    },
  },
];

/** Of the drivers whose instances hear each other. */
export const sharedBusCases: BusCase[] = [
  {
    name: "every instance hears a message once, the one that published it too",
    async run(open) {
      const [a, b, c] = [open(), open(), open()];
      const topic = newTopic();
      const ears = [a, b, c].map((bus) => listen(bus, topic));
      await Promise.all([a, b, c].map((bus) => bus.ready()));
      a.publish(topic, "from a");
      b.publish(topic, "from b");
      await Promise.all(ears.map((ear) => ear.until(({ heard }) => heard.length === 2)));
      // What came after it has come on the same way: an echo would stand before it.
      c.publish(topic, "end");
      await Promise.all(ears.map((ear) => ear.until(({ heard }) => heard.includes("end"))));
      for (const { heard } of ears) assert.deepEqual(heard.toSorted(), ["end", "from a", "from b"]);
    },
  },
  {
    name: "a burst of 1,000 messages arrives whole and in order, and equal ones are not taken for one",
    async run(open) {
      const [a, b] = [open(), open()];
      const topic = newTopic();
      const ear = listen(b, topic);
      await Promise.all([a.ready(), b.ready()]);
      for (const text of numbered(1000)) a.publish(topic, text);
      for (let i = 0; i < 100; i++) a.publish(topic, "x".repeat(4000));
      await ear.until(({ heard }) => heard.length >= 1100);
      assert.deepEqual(ear.heard, [...numbered(1000), ...Array.from({ length: 100 }, () => "x".repeat(4000))]);
    },
  },
  {
    name: "any text arrives as it was",
    async run(open) {
      const [a, b] = [open(), open()];
      const topic = newTopic();
      const ear = listen(b, topic);
      await Promise.all([a.ready(), b.ready()]);
      const texts = [
        "",
        "\"'\\`$1;--",
        "line\nline\r\n\t",
        "ünïcode 🦉",
        "\u0000\ud800",
        "null",
        "x".repeat(4000),
        "👻".repeat(900),
      ];
      for (const text of texts) a.publish(topic, text);
      await ear.until(({ heard }) => heard.length === texts.length);
      assert.deepEqual(ear.heard, texts);
    },
  },
  {
    name: "what was published before the connection stood, and right before the end, reaches the others",
    async run(open) {
      const b = open();
      const topic = newTopic();
      const ear = listen(b, topic);
      await b.ready();
      const a = open();
      a.publish(topic, "early");
      await a.ready();
      a.publish(topic, "late");
      await a.close();
      await ear.until(({ heard }) => heard.length === 2);
      assert.deepEqual(ear.heard, ["early", "late"]);
    },
  },
  {
    name: "what is published by one that is closed before its connection stood, as by a command, reaches the others",
    async run(open) {
      const b = open();
      const topic = newTopic();
      const ear = listen(b, topic);
      await b.ready();
      const a = open();
      a.publish(topic, "early");
      await a.close();
      await ear.until(({ heard }) => heard.length === 1);
    },
  },
  {
    name: "an instance that starts is told that it may have missed something, as far as it listened by then",
    async run(open) {
      const bus = open();
      const ear = listen(bus, newTopic());
      await bus.ready();
      assert.equal(ear.missed, 1);
      assert.equal(listen(bus, newTopic()).missed, 0);
    },
  },
];
