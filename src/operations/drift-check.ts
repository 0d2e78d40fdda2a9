import { randomUUID } from 'node:crypto';
import type { TokenCredential } from '@azure/identity';
import type { DriftReport } from '../drift/report.ts';
import { runDriftCheck } from '../drift/run-drift-check.ts';
import type { DriftStorage } from '../drift/store/drift-storage-client.ts';
import { CmkError } from '../errors.ts';
import type { LogRecord } from '../log.ts';
import { createServices, type Services } from '../services.ts';
import { readStorageSettings } from '../settings/settings.ts';
import type { AppEnvironment } from './key/blast-radius-of.ts';
import type { Procedure } from './operator-azure.ts';
import { findVault } from './resolve.ts';

export interface DriftOptions {
  /** Names, ARM ids or URIs; none: those of CMK_VAULTS. */
  readonly vaults: readonly string[];
  /** As the app does it: compared with its last report, mended as CMK_AUTOFIX says, and published. */
  readonly asApp: boolean;
  readonly environment: AppEnvironment;
  readonly credential: TokenCredential;
}

/**
 * The app's drift check on the operator's own sign-in. Unless it is to be done as the app does it, it needs nothing of the
 * app, and changes nothing anywhere. What goes wrong beside the check, such as a report that cannot be written, is noted
 * in the journal.
 *
 * @throws {@link CmkError} `ArgumentInvalid` when nobody says which vaults, or some of the app's alone are named as the app
 * @throws {@link SettingsError} when a setting in the environment is wrong
 */
export async function checkDrift(options: DriftOptions, { azure, journal }: Procedure): Promise<DriftReport> {
  const { environment, credential, asApp } = options;
  if (options.vaults.length === 0 && !environment.CMK_VAULTS?.trim()) {
    throw new CmkError(
      'ArgumentInvalid',
      'Which vaults are to be looked at?',
      'Add --vault <vault>, or set CMK_VAULTS to their ARM ids.',
    );
  }
  if (asApp && options.vaults.length > 0) {
    // Published, a report of some vaults would have everything in the others count as gone.
    throw new CmkError(
      'ArgumentInvalid',
      'As the app does it, the check is of all the vaults that the app looks after.',
      'Leave --vault out and set CMK_VAULTS as the app has it, or leave --as-app out.',
    );
  }
  const { AzureWebJobsStorage } = environment;
  if (AzureWebJobsStorage) readStorageSettings({ AZURE_CLOUD: azure.cloud.name, AzureWebJobsStorage });
  const vaults: string[] = [];
  for (const vault of options.vaults) vaults.push((await findVault(vault, azure)).id);
  const settings: AppEnvironment = {
    ...environment,
    AZURE_CLOUD: azure.cloud.name,
    ...(vaults.length > 0 ? { CMK_VAULTS: vaults.join(' ') } : {}),
    // The client id of the operator's own sign-in, in the environment, is not the app's.
    AZURE_CLIENT_ID: undefined,
    ...(asApp ? {} : { ...readOnly(environment) }),
  };
  const log = (record: LogRecord): void => {
    // The report has the findings, and what became of their mending.
    const reported = 'finding' in record || record.reason === 'DriftFixFailed';
    if (record.level === 'error' && asApp && !reported) journal.note(record.message);
  };
  // What the app remembers of its own subscriptions is not what the operator sees.
  const { subscriptions } = azure;
  const services = { ...createServices(settings, credential, log), subscriptions };
  const { objectId } = await azure.operator();
  journal.waiting('looking at vaults, keys and accounts');
  const run = { id: randomUUID(), by: 'operator', caller: objectId } as const;
  return runDriftCheck(run, asApp ? services : detached(services, environment), log);
}

/** Nothing is mended; where the app's storage is not known, the emulator's stands in its place, unasked. */
function readOnly({ AzureWebJobsStorage, AzureWebJobsStorage__accountName: account }: AppEnvironment): AppEnvironment {
  return {
    CMK_AUTOFIX: 'none',
    ...(AzureWebJobsStorage || account ? {} : { AzureWebJobsStorage: 'UseDevelopmentStorage=true' }),
  };
}

/** The services without anything that writes, and without the app's storage where it is not known. */
function detached(services: Services, environment: AppEnvironment): Services {
  const known = Boolean(environment.AzureWebJobsStorage || environment.AzureWebJobsStorage__accountName);
  const kept = services.driftStorage;
  const driftStorage: DriftStorage = {
    ...kept,
    newest: async () => (known ? kept.newest() : undefined),
    poisonMessages: async () => (known ? kept.poisonMessages() : []),
    keepPoison: async () => [],
    deadLetters: async (since) => (known ? kept.deadLetters(since) : []),
    begin: async () => {},
    end: async () => {},
    forget: async () => {},
    unfinished: async () => [],
    write: async () => {},
    putAside: async () => {},
    finished: async () => {},
  };
  const queue = { ...services.queue, send: async () => {}, poison: async () => {} };
  return { ...services, driftStorage, queue };
}
