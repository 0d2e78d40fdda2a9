import { expect, it } from 'vitest';
import { readUsageQuery } from '../../local/azure/log-analytics/usage-query.ts';
import { CLOUDS } from '../../src/azure/cloud.ts';
import { createManagedKey, parseManagedVault } from '../../src/keys/managed-vaults.ts';
import { createUsageQuery } from '../../src/keys/usage-log-client.ts';

const [cloud] = CLOUDS;
if (!cloud) throw new Error('There is no cloud.');
const vault = parseManagedVault(
  '/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/KV-Files',
  cloud,
);
if (!vault) throw new Error('The vault is not one.');

it('the query of the usage log names one key of one vault, and covers both forms of the log', () => {
  const query = createUsageQuery(createManagedKey(vault, 'Files-Key'));
  expect(readUsageQuery(query)).toMatchObject({ vault: 'vaults/kv-files', key: 'files-key', silentHours: 3 });
  expect(query.match(/AzureDiagnostics|AZKVAuditLogs/g)).toHaveLength(2);
  const brackets = [...query.replace(/"[^"]*"/g, '')];
  expect(brackets.filter((one) => one === '(')).toHaveLength(brackets.filter((one) => one === ')').length);
});

it.each(['a"; AzureActivity', 'a\\', 'a b', '', "a'", 'a\n| take 1', '/keys/', 'ä'])(
  'the query of the usage log rejects a name that Key Vault would not accept: %j',
  (name) => {
    expect(() => createUsageQuery(createManagedKey(vault, name))).toThrow(TypeError);
  },
);
