import { expect, it } from 'vitest';
import type { GraphResource } from '../../src/dependents/resource-graph-client.ts';
import type { KeySubject } from '../../src/drift/checks/subjects.ts';
import { gatherOthers } from '../../src/drift/gather/gather.ts';
import { managedKey } from '../../src/keys/managed-vaults.ts';
import { KEY, versionName } from '../support/keys.ts';

const { vault } = KEY;
const nameOf = (n: number): string => `Key-${n}`;

/** How often somebody has looked at what a resource names. */
let looks = 0;

/** A resource that names one key. */
function resource(n: number): GraphResource {
  const properties = {
    ...{ administratorLogin: 'sa', version: '12.0', state: 'Ready', publicNetworkAccess: 'Disabled' },
    keyId: `${vault.uri}/keys/${nameOf(n).toUpperCase()}/${versionName(1)}`,
  };
  return {
    ...{
      id: `/sql/${n}`,
      name: `sql-${n}`,
      type: 'microsoft.sql/servers',
      location: 'westeurope',
      subscriptionId: 's',
    },
    get properties() {
      looks += 1;
      return properties;
    },
  };
}

it('thousands of keys are told who names them without holding up anybody: a revocation waits meanwhile', async () => {
  const subjects = Array.from({ length: 2_000 }, (_, n) => ({ key: managedKey(vault, nameOf(n)) }) as KeySubject);
  const resourceGraph = {
    async *query() {
      for (let n = 0; n < 400; n += 1) yield resource(n);
    },
  };
  expect(await gatherOthers(subjects, [], { resourceGraph, signal: undefined })).toEqual([]);
  // Each with each would be two thousand looks at a resource.
  expect(looks).toBeLessThanOrEqual(5 * 400);
  const named = subjects.map(({ others }) => others?.map(({ name }) => name));
  expect(named).toEqual(subjects.map((_, n) => (n < 400 ? [`sql-${n}`] : [])));
}, 120_000);

it('storage accounts are others only in subscriptions that are not looked after', async () => {
  const subject = { key: managedKey(vault, nameOf(1)) } as KeySubject;
  const type = 'microsoft.storage/storageaccounts';
  const resourceGraph = {
    async *query() {
      for (const subscriptionId of ['S-1', 's-2']) {
        yield { ...resource(1), name: subscriptionId, type, subscriptionId };
        yield { ...resource(1), subscriptionId };
      }
    },
  };
  await gatherOthers([subject], ['s-1'], { resourceGraph, signal: undefined });
  expect(subject.others?.map(({ name }) => name)).toEqual(['sql-1', 's-2', 'sql-1']);
});
