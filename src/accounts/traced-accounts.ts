import type { ResourceId } from '../azure/resource-id.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** The same accounts; each write is a span of its own. */
export function tracedAccounts<A extends StorageAccounts>(accounts: A, telemetry: Telemetry): A {
  const patch = <T>(of: ResourceId, scope: string | undefined, write: () => Promise<T>): Promise<T> => {
    const attributes = {
      'http.request.method': 'PATCH',
      'cmk.account': of.id,
      ...(scope === undefined ? {} : { 'cmk.scope': scope }),
    };
    return telemetry.span('PATCH Microsoft.Storage', { attributes, isCall: true }, write);
  };
  return {
    ...accounts,
    updateEncryption: (id, ...change) => patch(id, undefined, () => accounts.updateEncryption(id, ...change)),
    updateScopeKey: (id, scope, ...change) => patch(id, scope, () => accounts.updateScopeKey(id, scope, ...change)),
  };
}
