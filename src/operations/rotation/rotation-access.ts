import { randomUUID } from 'node:crypto';
import type { TokenCredential } from '../../azure/credential.ts';
import { CmkError } from '../../errors.ts';
import { requestEach } from '../../fleet/fleet-work.ts';
import { createWorkItems } from '../../fleet/work-items-client.ts';
import { parseKeyIdentifier } from '../../keys/key-identifier.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { Log } from '../../log.ts';
import { KnownOrders } from '../../orders/known-orders.ts';
import { type ControlPorts, type Ordered, orderPause, orderResume } from '../../orders/order-pause.ts';
import { endProblem } from '../../orders/standing-orders.ts';
import { createOrdersStore } from '../../orders/standing-orders-client.ts';
import { knowsAppStorage } from '../../settings/own-storage.ts';
import { type Environment, readStorageSettings } from '../../settings/settings.ts';
import { requestByMessage } from '../../work/work-queue-client.ts';
import { appRecord, callBy } from '../key/app-record.ts';
import type { Operator } from '../operator.ts';
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

const SILENT: Log = () => {};

interface ControlCommand {
  readonly key: ManagedKey | undefined;
  readonly reason: string;
  readonly ticket?: string | undefined;
}

/**
 * Pauses on the operator's own sign-in, as the app's API does it. Errors are the SDK's.
 *
 * @throws {@link CmkError} `ArgumentInvalid` for a time that is over, or too far away
 */
export async function pauseRotations(
  { key, ...said }: ControlCommand & { readonly until?: Date | undefined },
  operator: Operator,
  ports: ControlPorts,
): Promise<Ordered> {
  const problem = said.until && endProblem(said.until, ports.now());
  if (problem) {
    throw new CmkError(
      'ArgumentInvalid',
      `${problem} Nothing was changed.`,
      'Give a time to come (--until PT4H), or leave it out.',
    );
  }
  return orderPause({ ...said, ...callBy(operator), key: key?.id }, ports, SILENT);
}

export function resumeRotations(
  { key, ...said }: ControlCommand,
  operator: Operator,
  ports: ControlPorts,
): Promise<Ordered> {
  return orderResume({ ...said, ...callBy(operator), key: key?.id }, ports, SILENT);
}
