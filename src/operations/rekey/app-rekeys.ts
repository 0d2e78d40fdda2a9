import { randomUUID } from 'node:crypto';
import type { TokenCredential } from '../../azure/credential.ts';
import { createFleetIndex } from '../../fleet/create-fleet-index.ts';
import type { FleetIndex } from '../../fleet/fleet-index.ts';
import { createFleetTable } from '../../fleet/fleet-table-client.ts';
import { createMovedUses } from '../../fleet/moved-uses.ts';
import { CONTROL_TABLE } from '../../fleet/rollout-store-client.ts';
import { createUseRows } from '../../fleet/use-row.ts';
import type { RekeyOrderPorts } from '../../orders/order-rekey.ts';
import { createOrdersStore } from '../../orders/standing-orders-client.ts';
import type { StatusPorts } from '../../rekey/rekey-status.ts';
import { SettingsReader } from '../../settings/reader.ts';
import { type Environment, readStorageSettings, readSubscriptions, type Settings } from '../../settings/settings.ts';
import { requestByMessage } from '../../work/work-queue-client.ts';
import { appRecord } from '../key/app-record.ts';

/** Re-keys, and what goes with them, in the app's own storage, as the environment names it. */
export interface AppRekeys extends Omit<RekeyOrderPorts, 'now'>, Pick<StatusPorts, 'moved' | 'useRows' | 'inSight'> {
  readonly fleet: FleetIndex;
  readonly settings: Pick<Settings, 'subscriptions'>;
  /** URL of the table service. */
  readonly url: string;
}

/** @throws SettingsError when the environment does not say where the app's storage is */
export function appRekeys(environment: Environment, credential: () => TokenCredential): AppRekeys {
  const settings = readStorageSettings(environment);
  const { storage } = settings;
  const subscriptions = readSubscriptions(new SettingsReader(environment));
  const table = createFleetTable(settings, credential);
  const { audit, queue } = appRecord(environment, credential);
  const requestKey = requestByMessage(queue);
  return {
    audit,
    orderStore: createOrdersStore(settings, credential),
    control: { learn: () => {} },
    moved: createMovedUses(createFleetTable(settings, credential, CONTROL_TABLE)),
    useRows: createUseRows(table),
    fleet: createFleetIndex(table),
    async requestKeys(keys, cause) {
      for (const key of keys) await requestKey(key, cause);
    },
    newId: () => randomUUID(),
    settings: { subscriptions },
    // What the app sees beside what is named, only the app knows.
    inSight: async () => subscriptions,
    url: 'tableUri' in storage ? storage.tableUri : 'the storage of the connection string',
  };
}
