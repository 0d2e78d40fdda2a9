import { expect, it } from 'vitest';
import type { KeySubject } from '../../src/drift/checks/subjects.ts';
import { gatherOthers } from '../../src/drift/gather/gather.ts';
import { KEY, versionName } from '../support/keys.ts';

it('storage accounts count as other resources only in subscriptions that are not managed', async () => {
  const subject = { key: KEY } as KeySubject;
  const properties = { keyId: `${KEY.vault.uri}/keys/${KEY.name.toUpperCase()}/${versionName(1)}` };
  const resourceGraph = {
    async *query() {
      for (const subscriptionId of ['S-1', 's-2']) {
        for (const [name, type] of [
          ['sql', 'microsoft.sql/servers'],
          [subscriptionId, 'microsoft.storage/storageaccounts'],
        ] as const) {
          yield { id: `/x/${name}`, name, type, location: 'westeurope', subscriptionId, properties };
        }
      }
    },
  };

  await gatherOthers([subject], ['s-1'], { resourceGraph, signal: undefined });

  expect(subject.others?.map(({ name }) => name)).toEqual(['sql', 'sql', 's-2']);
});
