import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CLIENT_IDS, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import type { LocalAzure } from '../../local/azure/server.ts';
import { eventually } from './eventually.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** A terminal in which somebody sits. */
export interface Terminal {
  /** Everything that was shown so far. */
  readonly shown: () => string;
  /** Waits until something is shown. */
  readonly shows: (pattern: RegExp) => Promise<void>;
  /** Types it; `\u0003` is Ctrl-C. */
  readonly type: (text: string) => void;
  /** Exit code of the command, as the shell has it. */
  readonly exit: Promise<number>;
}

/**
 * Runs a shell command on a pseudo-terminal, which `script` of util-linux makes. `cmk` is the command line; it is signed in
 * as an owner.
 *
 * @param columns how wide the terminal is
 */
export function onTerminal(
  azure: LocalAzure | undefined,
  command: string,
  { columns = 80, env = {} }: { columns?: number; env?: Record<string, string> } = {},
): Terminal {
  const { PATH = '', HOME = '' } = process.env;
  const owner = azure?.world.principals.get(CLIENT_IDS.owner);
  const signIn = azure && {
    ...azure.env,
    AZURE_TENANT_ID: azure.world.tenantId,
    AZURE_SUBSCRIPTION_ID: SUBSCRIPTION_ID,
    AZURE_CLIENT_ID: owner?.clientId ?? '',
    AZURE_CLIENT_SECRET: owner?.secret ?? '',
  };
  const shell = `stty cols ${columns} rows 24; cmk() { "${process.execPath}" "${MAIN}" "$@"; }; ${command}`;
  const child = spawn('script', ['--quiet', '--return', '--flush', '--command', `bash -c '${shell}'`, '/dev/null'], {
    env: { PATH, HOME, TERM: 'xterm', NODE_NO_WARNINGS: '1', ...signIn, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  let ended = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  const exit = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      ended = true;
      resolve(code ?? -1);
    });
  });
  return {
    shown: () => shown,
    shows: async (pattern) => {
      await eventually(`${pattern} on the terminal`, () => pattern.test(shown) || ended);
      if (!pattern.test(shown)) throw new Error(`Ended without ${pattern}:\n${shown}`);
    },
    type: (text) => child.stdin.write(text),
    exit,
  };
}
