import { randomUUID } from 'node:crypto';
import type { GatherServices } from '../drift/gather/gather.ts';
import type { WholeReport } from '../drift/report.ts';
import { type DriftServices, findDrift } from '../drift/run-drift-check.ts';
import { CmkError } from '../errors.ts';
import { knowsAppStorage } from '../settings/own-storage.ts';
import { type Environment, readStorageSettings } from '../settings/settings.ts';
import type { Operation } from './operator-azure.ts';
import { findVault } from './resolve.ts';

interface DriftOptions {
  /** Names, ARM ids or URIs; none: those of CMK_VAULTS. */
  readonly vaults: readonly string[];
  readonly environment: Environment;
  /** The app's services with other settings, and with the operator's sign-in. */
  readonly services: (environment: Environment) => DriftServices;
}

/**
 * The app's drift check on the operator's own sign-in. It needs nothing of the app, and changes nothing anywhere.
 *
 * @throws {@link CmkError} `ArgumentInvalid` when no vaults are named
 * @throws {@link SettingsError} when a setting in the environment is wrong
 */
export async function checkDrift(
  { vaults: named, environment, services: servicesOf }: DriftOptions,
  { azure, journal }: Operation,
): Promise<WholeReport> {
  if (named.length === 0 && !environment.CMK_VAULTS?.trim()) {
    throw new CmkError(
      'ArgumentInvalid',
      'No vault is named.',
      'Add --vault <vault>, or set CMK_VAULTS to their ARM ids.',
    );
  }
  const { AzureWebJobsStorage } = environment;
  if (AzureWebJobsStorage) readStorageSettings({ AZURE_CLOUD: azure.cloud.name, AzureWebJobsStorage });
  const vaults: string[] = [];
  for (const vault of named) vaults.push((await findVault(vault, azure)).id);
  const hasStorage = knowsAppStorage(environment);
  const settings: Environment = {
    ...environment,
    AZURE_CLOUD: azure.cloud.name,
    ...(vaults.length > 0 ? { CMK_VAULTS: vaults.join(' ') } : {}),
    // The client id of the operator's own sign-in, in the environment, is not the app's.
    AZURE_CLIENT_ID: undefined,
    // Where the app's storage is not known, the emulator's stands in its place, unasked.
    ...(hasStorage ? {} : { AzureWebJobsStorage: 'UseDevelopmentStorage=true' }),
  };
  // What the app remembers of its own subscriptions is not what the operator sees.
  const services = { ...servicesOf(settings), subscriptions: azure.subscriptions };
  const { objectId } = await azure.operator();
  journal.waiting('reading vaults, keys and accounts');
  const run = { id: randomUUID(), by: 'operator', caller: objectId } as const;
  return findDrift(run, hasStorage ? services : { ...services, ...NO_STORAGE });
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
