/** A command as a process of its own, with nothing of this process's environment and nobody at a terminal. */
import process from "node:process";

interface Where {
  cwd: string;
  env?: Record<string, string>;
}

export interface Finished {
  code: number;
  out: string;
  err: string;
}

export async function runCommand(command: string[], { cwd, env = {} }: Where): Promise<Finished> {
  const child = Bun.spawn(command, {
    cwd,
    env: { PATH: process.env.PATH ?? "", HOME: cwd, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, out, err };
}

/** One of scripts/. */
export const runScript = (name: string, args: readonly string[], where: Where): Promise<Finished> =>
  runCommand([process.execPath, new URL(`../../scripts/${name}.ts`, import.meta.url).pathname, ...args], where);
