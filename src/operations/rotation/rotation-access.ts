import { randomUUID } from 'node:crypto';
import type { TokenCredential } from '../../azure/credential.ts';
import { CmkError } from '../../errors.ts';
import { requestEach } from '../../fleet/fleet-work.ts';
import { createWorkItems } from '../../fleet/work-items-client.ts';
import { parseKeyIdentifier } from '../../keys/key-identifier.ts';
import { KnownOrders } from '../../orders/known-orders.ts';
import type { ControlPorts } from '../../orders/order-pause.ts';
import { createOrdersStore } from '../../orders/standing-orders-client.ts';
import { knowsAppStorage } from '../../settings/own-storage.ts';
import { type Environment, readStorageSettings } from '../../settings/settings.ts';
import { requestByMessage } from '../../work/work-queue-client.ts';
import { appRecord } from '../key/app-record.ts';
import type { Azure } from '../operator-azure.ts';
import { keyByName } from '../resolve.ts';

/**
 * Pauses in the app's own storage, on the operator's own sign-in: what the app itself goes by.
 *
 * @throws {@link CmkError} `ArgumentInvalid` when the environment does not name that storage
 */
export function rotationAccess(
  environment: Environment,
  azure: Azure,
  credential: () => TokenCredential,
): ControlPorts {
  if (!knowsAppStorage(environment)) {
    throw new CmkError(
      'ArgumentInvalid',
      "The app's storage is not known, where the pauses are.",
      "Set AzureWebJobsStorage__accountName to the app's storage account.",
    );
  }
  const settings = readStorageSettings({ ...environment, AZURE_CLOUD: azure.cloud.name });
  const { now, keys, cloud } = azure;
  const record = appRecord(environment, credential);
  const items = createWorkItems(settings, credential);
  const orderStore = createOrdersStore(settings, credential);
  return {
    settings: {
      vaults: { key: (id) => (parseKeyIdentifier(id) ? keyByName(id, undefined, cloud) : undefined) },
    },
    keys,
    orderStore,
    control: new KnownOrders(orderStore, now),
    newId: () => randomUUID(),
    now,
    ...record,
    requestKeys: (of, cause) => requestEach(of, cause, { items, requestKey: requestByMessage(record.queue) }),
  };
}
