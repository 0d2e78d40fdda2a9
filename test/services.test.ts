import { ManagedIdentityCredential } from '@azure/identity';
import { expect, it } from 'vitest';
import { appSettings } from '../local/run/app-environment.ts';
import type { LogRecord } from '../src/errors/log.ts';
import { createServices } from '../src/services.ts';
import { eventually } from './support/eventually.ts';

it('what could not be written to the audit trail is in the log, with why', async () => {
  const records: LogRecord[] = [];
  const unreachable =
    'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/a;QueueEndpoint=http://127.0.0.1:1/a;';
  const { audit } = createServices(appSettings(unreachable, {}), new ManagedIdentityCredential(), (record) => {
    records.push(record);
  });

  const entry = {
    action: 'key.revoke',
    reason: 'Revoked',
    resource: 'https://kv-files.vault.azure.net/keys/k',
  } as const;

  await audit(entry, 1_000);

  const record = await eventually('the record', () => records.find(({ reason }) => reason === 'AuditFailed'), 25_000);
  expect(record.message).toMatch(/^The app could not write an action to the audit trail.* ECONNREFUSED/);
  expect(record).toMatchObject({ level: 'error', entry });
});
