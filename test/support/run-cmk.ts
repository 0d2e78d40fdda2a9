import type { Principal } from '../../local/azure/world.ts';
import { run } from '../../src/cli/run.ts';
import type { Procedures } from './procedures.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface CmkOptions {
  /** Whether stdout and stderr are a terminal, of so many columns. */
  readonly tty?: boolean;
  readonly columns?: number;
  /** Whose sign-in; undefined: an owner's. */
  readonly as?: Principal;
  /** What is typed when something is asked; undefined: there is no terminal. */
  readonly answer?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a command line in this process, on the local Azure; without one, a command that asks nothing of it. */
export async function runCmk(
  procedures: Procedures | undefined,
  args: readonly string[],
  { tty, columns, as, answer, env = {} }: CmkOptions = {},
): Promise<Ran> {
  let out = '';
  let err = '';
  const sink = (write: (text: string) => void) => ({ write, isTTY: tty, columns });
  const code = await run(args, {
    environment: env,
    out: sink((text) => {
      out += text;
    }),
    err: sink((text) => {
      err += text;
    }),
    ask: answer === undefined ? undefined : async () => answer,
    ...(procedures ? { azure: procedures.azure(as), credential: procedures.credential(as) } : {}),
  });

  return { code, out, err };
}
