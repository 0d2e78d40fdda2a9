import type { InSight } from '../../accounts/in-sight.ts';
import type { TokenCredential } from '../../azure/credential.ts';
import { createFleetIndex } from '../../fleet/create-fleet-index.ts';
import type { FleetIndex } from '../../fleet/fleet-index.ts';
import { createFleetTable } from '../../fleet/fleet-table-client.ts';
import type { RekeyStore } from '../../fleet/rekey-order.ts';
import { createRekeyStore } from '../../fleet/rekey-store-client.ts';
import { SettingsReader } from '../../settings/reader.ts';
import { type Environment, readStorageSettings, readSubscriptions, type Settings } from '../../settings/settings.ts';
import { type AppRecord, appRecord } from '../key/app-record.ts';

/** Re-keys, and what goes with them, in the app's own storage, as the environment names it. */
export interface AppRekeys extends AppRecord {
  readonly rekeys: RekeyStore;
  readonly fleet: FleetIndex;
  readonly settings: Pick<Settings, 'subscriptions'>;
  readonly inSight: InSight;
  /** URL of the table service. */
  readonly url: string;
}

/** @throws SettingsError when the environment does not say where the app's storage is */
export function appRekeys(environment: Environment, credential: () => TokenCredential): AppRekeys {
  const settings = readStorageSettings(environment);
  const { storage } = settings;
  const subscriptions = readSubscriptions(new SettingsReader(environment));
  return {
    ...appRecord(environment, credential),
    rekeys: createRekeyStore(settings, credential),
    fleet: createFleetIndex(createFleetTable(settings, credential)),
    settings: { subscriptions },
    // What the app sees beside what is named, only the app knows.
    inSight: async () => subscriptions,
    url: 'tableUri' in storage ? storage.tableUri : 'the storage of the connection string',
  };
}
