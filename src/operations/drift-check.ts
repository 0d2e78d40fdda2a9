import { randomUUID } from 'node:crypto';
import type { GatherServices } from '../drift/gather/gather.ts';
import type { WholeReport } from '../drift/report.ts';
import { type DriftServices, findDrift, runDriftCheck } from '../drift/run-drift-check.ts';
import { CmkError } from '../errors.ts';
import type { Log, LogRecord } from '../log.ts';
import { knowsAppStorage } from '../settings/own-storage.ts';
import { type Environment, readStorageSettings } from '../settings/settings.ts';
import type { Operation } from './operator-azure.ts';
import { findVault } from './resolve.ts';

interface DriftOptions {
  /** Names, ARM ids or URIs; none: those of CMK_VAULTS. */
  readonly vaults: readonly string[];
  /** As the app does it: compared with its last report, fixed as CMK_AUTOFIX says, and published. */
  readonly asApp: boolean;
  readonly environment: Environment;
  /** The app's services with other settings, and with the operator's sign-in. */
  readonly services: (environment: Environment, log: Log) => DriftServices;
}

/**
 * The app's drift check on the operator's own sign-in. Unless it is to be done as the app does it, it needs nothing of the
 * app, and changes nothing anywhere. What goes wrong beside the check, such as a report that cannot be written, is noted
 * in the journal.
 *
 * @throws {@link CmkError} `ArgumentInvalid` when no vaults are named, or some of the app's alone are named as the app
 * @throws {@link SettingsError} when a setting in the environment is wrong
 */
export async function checkDrift(options: DriftOptions, { azure, journal }: Operation): Promise<WholeReport> {
  const { environment, asApp } = options;
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
  const settings: Environment = {
    ...environment,
    AZURE_CLOUD: azure.cloud.name,
    ...(vaults.length > 0 ? { CMK_VAULTS: vaults.join(' ') } : {}),
    // The client id of the operator's own sign-in, in the environment, is not the app's.
    AZURE_CLIENT_ID: undefined,
    ...(asApp ? {} : { ...readOnly(environment) }),
  };
  const log = (record: LogRecord): void => {
    // The report has the findings, and what became of their fixes.
    const reported = 'cause' in record || record.reason === 'DriftFixFailed';
    if (record.level === 'error' && asApp && !reported) journal.note(record.message);
  };
  // What the app remembers of its own subscriptions is not what the operator sees.
  const services = { ...options.services(settings, log), subscriptions: azure.subscriptions };
  const { objectId } = await azure.operator();
  journal.waiting('looking at vaults, keys and accounts');
  const run = { id: randomUUID(), by: 'operator', caller: objectId } as const;
  if (asApp) return runDriftCheck(run, services, log);
  return findDrift(run, knowsAppStorage(environment) ? services : { ...services, ...NO_STORAGE });
}

/** Nothing is fixed; where the app's storage is not known, the emulator's stands in its place, unasked. */
function readOnly(environment: Environment): Environment {
  return {
    CMK_AUTOFIX: 'none',
    ...(knowsAppStorage(environment) ? {} : { AzureWebJobsStorage: 'UseDevelopmentStorage=true' }),
  };
}

/** The app's own storage is not known: there is neither a report before nor anything of its queues to be seen. */
const NO_STORAGE: Pick<GatherServices, 'driftStorage' | 'rollouts' | 'useRows'> & { readonly orderStore: undefined } = {
  orderStore: undefined,
  driftStorage: {
    before: async () => undefined,
    managedAccounts: async () => ({}),
    poisonMessages: async () => [],
    deadLetters: async () => [],
    legacyOrders: async () => [],
    legacyApprovals: async () => [],
  },
  rollouts: undefined,
  useRows: undefined,
};
