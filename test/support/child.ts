import { type ChildProcess, spawn } from 'node:child_process';
import { eventually } from './eventually.ts';

export interface Child {
  readonly process: ChildProcess;
  /** Everything on stdout and stderr so far. */
  readonly output: () => string;
  /** Resolves with the first match in the output. */
  readonly says: (pattern: RegExp) => Promise<RegExpExecArray>;
  /** Exit code, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals>;
}

/** Runs a module with the Node of the tests; nothing of the tests' own environment but PATH and HOME reaches it. */
export function startChild(module: string, args: readonly string[] = [], env: Record<string, string> = {}): Child {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [module, ...args], {
    env: { ...(PATH && { PATH }), ...(HOME && { HOME }), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let ended = false;

  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }

  return {
    process: child,
    output: () => output,
    says: async (pattern) => {
      const found = await eventually(
        `${pattern} in the output`,
        () => pattern.exec(output) ?? (ended ? 'ended' : undefined),
      ).catch((cause: unknown) => {
        throw new Error(`${(cause as Error).message}:\n${output}`, { cause });
      });
      if (found === 'ended') throw new Error(`Ended without ${pattern} in the output:\n${output}`);
      return found;
    },
    exit: new Promise((resolve) => {
      child.once('close', (code, signal) => {
        ended = true;
        resolve(signal ?? code ?? -1);
      });
    }),
  };
}
