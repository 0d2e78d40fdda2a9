import { fileURLToPath } from 'node:url';
import { CLIENT_IDS, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import type { LocalAzure } from '../../local/azure/server.ts';
import type { Principal } from '../../local/azure/world.ts';
import { type Child, startChild } from './child.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** Starts `cmk` as a process of its own, signed in by its environment. */
export function startCmk(
  azure: LocalAzure,
  args: readonly string[],
  options: { as?: Principal; env?: Record<string, string> } = {},
): Child {
  const who = options.as ?? azure.world.principals.get(CLIENT_IDS.owner);
  if (!who) throw new Error('The local tenant has no owner.');

  return startChild(MAIN, args, {
    ...azure.env,
    NODE_NO_WARNINGS: '1',
    AZURE_TENANT_ID: azure.world.tenantId,
    AZURE_SUBSCRIPTION_ID: SUBSCRIPTION_ID,
    AZURE_CLIENT_ID: who.clientId,
    AZURE_CLIENT_SECRET: who.secret,
    ...options.env,
  });
}

/** Runs `cmk` to its end. */
export async function cmk(
  azure: LocalAzure,
  args: readonly string[],
  options: Parameters<typeof startCmk>[2] = {},
): Promise<{ readonly code: number | NodeJS.Signals; readonly output: string }> {
  const child = startCmk(azure, args, options);
  const code = await child.exit;
  return { code, output: child.output() };
}
