import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DefaultAzureCredential } from '@azure/identity';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CLIENT_IDS } from '../../../local/azure/constants.ts';
import { findSignInTrouble } from '../../../src/cli/procedures/sign-in.ts';
import { useProcedures } from '../../support/procedures.ts';

const procedures = useProcedures();
const SCOPE = 'https://vault.azure.net/.default';

async function refused(run: () => Promise<unknown>): Promise<unknown> {
  return run().then(
    () => expect.fail('There was a token.'),
    (error: unknown) => error,
  );
}

/** The chain of credentials of the command line, with this in the environment. */
async function chain(environment: Record<string, string | undefined>): Promise<unknown> {
  const before = { ...process.env };
  try {
    for (const [name, value] of Object.entries(environment)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }

    return await refused(() => new DefaultAzureCredential().getToken(SCOPE));
  } finally {
    for (const name of Object.keys(environment)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
}

describe('a sign-in that gives no token', () => {
  const wrong = (): Record<string, string> => ({
    AZURE_TENANT_ID: procedures.world.tenantId,
    AZURE_CLIENT_ID: CLIENT_IDS.owner,
    AZURE_CLIENT_SECRET: 'wrong',
  });

  it('A sign-in with a wrong secret is reported in the words of Entra ID', async () => {
    expect(findSignInTrouble(await chain(wrong()))).toEqual({
      kind: 'refused',
      message: 'Entra ID rejected the sign-in of the environment: AADSTS7000215: Invalid client secret provided.',
      nextStep: expect.stringContaining('Correct AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'),
    });
  });

  it('An unreachable Entra ID is not reported as a missing sign-in', async () => {
    procedures.local.faults.add([{ match: { host: 'login.microsoftonline.com', path: '/token' }, reset: true }]);
    expect(findSignInTrouble(await chain(wrong()))).toMatchObject({ kind: 'unreachable' });
  });

  it('A missing sign-in is reported with how to sign in', async () => {
    // The developer may be signed in to `az`.
    const profile = await mkdtemp(join(tmpdir(), 'cmk-az-'));
    onTestFinished(() => rm(profile, { recursive: true, force: true }));

    const error = await chain({
      AZURE_TENANT_ID: undefined,
      AZURE_CLIENT_ID: undefined,
      AZURE_CLIENT_SECRET: undefined,
      AZURE_CONFIG_DIR: profile,
      IDENTITY_ENDPOINT: undefined,
      IDENTITY_HEADER: undefined,
    });

    expect(findSignInTrouble(error)).toMatchObject({ kind: 'none', nextStep: expect.stringContaining('az login') });
  });
});
