import { expect, it } from 'vitest';
import { createCanaryProbe } from '../../src/probe/probe-targets.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

// A canary whose file service does not respond delays no caller for long, and differs from one that does not serve.

const wire = useWire();
const FILES = { host: '*.file.core.windows.net' };
const XML = { 'Content-Type': 'application/xml' };
const refusal = (code: string) => ({ status: 403, headers: { 'x-ms-error-code': code } });

const list = (body: string) => ({ match: FILES, answer: { status: 200, headers: XML, body } });

it.each<[what: string, fault: object, failing: number, why: string]>([
  ['does not answer', { match: FILES, hang: true }, 0, ''],
  ['cuts the connection', { match: FILES, reset: true }, 0, ''],
  ['is busy', { match: FILES, answer: { status: 503 } }, 0, '503'],
  ['is closed to the app', { match: FILES, answer: refusal('AuthorizationFailure') }, 0, 'network rules'],
  ['is a page to sign in at', list('<html>…</html>'), 0, 'no list'],
  [
    'lacks its key, in an answer of 200',
    list('<Error><Code>KeyVaultEncryptionKeyNotFound</Code></Error>'),
    1,
    'KeyVault',
  ],
  ['lacks its key', { match: FILES, answer: refusal('KeyVaultEncryptionKeyNotFound') }, 1, 'KeyVault'],
])('The canary probe answers in time, with the reason, for a file service that %s', async (_, fault, failing, why) => {
  const account = new TestKey(wire.azure.world).account('pinned', { shares: ['share1'] });

  wire.azure.faults.add([fault as never]);

  const begunMs = performance.now();
  const proof = await createCanaryProbe(wire.services())([account.id], '', wire.log);

  expect(performance.now() - begunMs).toBeLessThan(60_000);

  const unseen = wire.records.filter(({ reason }) => reason === 'CanaryUnseen').map(({ message }) => message);
  const told = proof === 'proven' ? unseen.join() : (proof?.failing ?? '');

  expect(proof === 'proven').toBe(failing === 0);
  expect(told).toContain(why);
  expect(told).toContain(`${account.name} (`);
});
