/** HTTP by hand over TCP, for what no client library sends. */
import { connect, type Socket } from "node:net";

export interface RawAnswer {
  /** 0 when the connection was closed without an answer. */
  status: number;
  text: string;
}

export interface RawConnection {
  write(text: string | Uint8Array): void;
  /** Resolves with everything that has come when the other end closes. */
  ended: Promise<string>;
  /** Resolves when what has come fits. */
  until(pattern: RegExp): Promise<string>;
  close(): void;
}

export function openRaw(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  let text = "";
  const waiting = new Set<() => void>();
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: hostname, port: Number(port) });
    socket.setNoDelay(true);
    const ended = new Promise<string>((done) => socket.on("close", () => done(text)));
    socket.on("error", reject);
    socket.on("data", (data) => {
      text += data.toString("latin1");
      for (const look of [...waiting]) look();
    });
    socket.on("connect", () =>
      resolve({
        write: (data) => void socket.write(data),
        ended,
        until: (pattern) =>
          new Promise((done, fail) => {
            const look = () => {
              if (!pattern.test(text)) return;
              waiting.delete(look);
              done(text);
            };
            waiting.add(look);
            void ended.then(() => fail(new Error(`closed after ${JSON.stringify(text)}`)));
            look();
          }),
        close: () => socket.destroy(),
      }),
    );
  });
}

export const statusOf = (text: string): number => Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0);

const WAIT_MS = 3000;

/** Sends bytes on a connection of their own; answers when an answer is complete enough to be told, or the other end closes. */
export async function sendRaw(url: string, text: string | Uint8Array): Promise<RawAnswer> {
  const connection = await openRaw(url);
  connection.write(text);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, WAIT_MS, "");
  });
  const answer = await Promise.race([connection.until(/\r\n\r\n/), connection.ended, late]).catch(
    () => connection.ended,
  );
  clearTimeout(timer);
  connection.close();
  return { status: statusOf(answer), text: answer };
}
