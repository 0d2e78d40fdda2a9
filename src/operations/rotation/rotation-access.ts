import { randomUUID } from 'node:crypto';
import type { TokenCredential } from '../../azure/credential.ts';
import { CmkError } from '../../errors.ts';
import { createFleetIndex } from '../../fleet/create-fleet-index.ts';
import { createFleetTable } from '../../fleet/fleet-table-client.ts';
import { requestEach } from '../../fleet/fleet-work.ts';
import { createRotationNotes } from '../../fleet/rotation-notes.ts';
import { createWorkItems } from '../../fleet/work-items-client.ts';
import { parseKeyIdentifier } from '../../keys/key-identifier.ts';
import { KnownOrders } from '../../orders/known-orders.ts';
import type { ControlPorts } from '../../orders/order-pause.ts';
import { createOrdersStore } from '../../orders/standing-orders-client.ts';
import { writesOf } from '../../rollout/create-rollout-services.ts';
import type { ListPorts } from '../../rollout/list-rotations.ts';
import { knowsAppStorage } from '../../settings/own-storage.ts';
import { SettingsReader } from '../../settings/reader.ts';
import { type Environment, readStorageSettings, readSubscriptions } from '../../settings/settings.ts';
import { DEFAULT_BUDGET_SHARE } from '../../settings/settings-table.ts';
import { requestByMessage } from '../../work/work-queue-client.ts';
import { appRecord } from '../key/app-record.ts';
import type { Azure } from '../operator-azure.ts';
import { keyByName } from '../resolve.ts';

/**
 * Rotations and pauses in the app's own storage, on the operator's own sign-in: what the app itself goes by.
 *
 * @throws {@link CmkError} `ArgumentInvalid` when the environment does not name that storage
 */
export function rotationAccess(
  environment: Environment,
  azure: Azure,
  credential: () => TokenCredential,
): ListPorts & ControlPorts {
  if (!knowsAppStorage(environment)) {
    throw new CmkError(
      'ArgumentInvalid',
      "The app's storage is not known, where the fleet index and the pauses are.",
      "Set AzureWebJobsStorage__accountName to the app's storage account; for `cmk rotation status` CMK_API and CMK_API_AUDIENCE do as well.",
    );
  }
  const settings = readStorageSettings({ ...environment, AZURE_CLOUD: azure.cloud.name });
  const reader = new SettingsReader(environment);
  const table = createFleetTable(settings, credential);
  const { now, keys, cloud } = azure;
  const record = appRecord(environment, credential);
  const items = createWorkItems(settings, credential);
  const orderStore = createOrdersStore(settings, credential);
  return {
    settings: {
      vaults: { key: (id) => (parseKeyIdentifier(id) ? keyByName(id, undefined, cloud) : undefined) },
      refreshAutomatic: environment.CMK_REFRESH_AUTOMATIC?.trim().toLowerCase() !== 'off',
      canary: Number(environment.CMK_CANARY) || 0,
      // One that is wrong counts as absent, as it does for the app.
      drift: { exemptions: reader.read('CMK_EXEMPTIONS') ?? [] },
    },
    // What the app sees beside what is named, only the app knows.
    inSight: async () => readSubscriptions(reader),
    keys,
    fleet: createFleetIndex(table),
    rotationNotes: createRotationNotes(table),
    orderStore,
    control: new KnownOrders(orderStore, now),
    writeBudgets: writesOf(Number(environment.CMK_BUDGET_SHARE) || DEFAULT_BUDGET_SHARE),
    newId: () => randomUUID(),
    now,
    ...record,
    requestKeys: (of, cause) => requestEach(of, cause, { items, requestKey: requestByMessage(record.queue) }),
  };
}
