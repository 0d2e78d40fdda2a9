import { expect, it } from 'vitest';
import { createKnownKeys } from '../../src/index/fleet-index.ts';
import { formatKeyPartition } from '../../src/index/fleet-keys.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';

const URI = 'https://kv-files.vault.azure.net';

function tableOf(uses: Readonly<Record<string, number>>) {
  const table = new MemoryFleetTable();

  for (const [key, count] of Object.entries(uses)) {
    for (let n = 0; n < count; n += 1) {
      table.apply({ partitionKey: formatKeyPartition(key), rowKey: String(n).padStart(6, '0'), properties: { key } });
    }
  }

  let requests = 0;
  const port = table.port((_, effect) => {
    requests += 1;
    return Promise.resolve(effect());
  });

  return { known: createKnownKeys(port), requests: () => requests, table };
}

it('ofVault finds the keys in use with one request for each thousand uses', async () => {
  const few = Object.fromEntries(
    Array.from({ length: 30 }, (_, n) => [`${URI}/keys/b${String(n).padStart(2, '0')}`, 2]),
  );
  const { known, requests } = tableOf({ [`${URI}/keys/A-Large-One`]: 5_000, ...few, [`${URI}/keys/z`]: 1 });
  const found = await known.ofVault(URI, 100);
  expect(found).toEqual([`${URI}/keys/a-large-one`, ...Object.keys(few), `${URI}/keys/z`]);
  // The large one, all others, and nothing behind them.
  expect(requests()).toBe(3);
  expect(await known.ofVault(URI, 5)).toEqual(found.slice(0, 5));
});

it('ofVault skips keys of other vaults and rows that it cannot parse', async () => {
  const { known, table } = tableOf({
    'https://kv-file.vault.azure.net/keys/a': 1,
    'https://kv-files2.vault.azure.net/keys/b': 1,
    'https://kv-files.managedhsm.azure.net/keys/c': 1,
    [`${URI}/keys/mine`]: 1,
  });

  table.apply({
    partitionKey: formatKeyPartition(`${URI}/keys/odd`),
    rowKey: '1',
    properties: { key: 'https://evil.example' },
  });

  expect(await known.ofVault(URI, 100)).toEqual([`${URI}/keys/mine`]);
  expect(await createKnownKeys(new MemoryFleetTable().port()).ofVault(URI, 100)).toEqual([]);
});
