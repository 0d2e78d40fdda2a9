import { expect, it } from 'vitest';
import { AZURE_CLI_CLIENT_ID, CLIENT_IDS } from '../../local/azure/constants.ts';
import { keyOf } from '../break-glass/break-glass-fixture.ts';
import { signIn } from '../break-glass/running-app.ts';
import { useApps } from '../break-glass/use-running-app.ts';
import { recordsOf } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const startApp = useApps(wire);

it('every call is logged with its caller: kind, client, address, key, correlation id', async () => {
  const app = await startApp();
  const key = keyOf(wire.azure, 1);
  const name = `${key.vault.name}/${key.name}`;
  const restore = { reason: 'The laptop is back', revocation: 'cafe' };
  const answers = [
    await app.call(`/keys/${name}`, { as: 'revoker' }),
    await app.call(`/keys/${name}/revoke?dryRun=true`, { as: 'revoker', method: 'POST' }),
    await app.call(`/keys/${name}`, { as: 'outsider' }),
    await app.call(`/keys/${name}/restore`, { as: 'robot', method: 'POST', body: restore }),
    await app.call('/drift', { as: 'revoker', headers: { 'x-forwarded-for': '198.51.100.7, 203.0.113.9:4711' } }),
  ];

  const person = (who: string) => ({
    caller: signIn(wire.azure, who).objectId,
    kind: 'person',
    client: AZURE_CLI_CLIENT_ID,
  });

  const records = await eventually('the last call is logged', () => {
    // Passes that are under way write records too.
    const calls = recordsOf(app.output().split('\n')).filter(({ reason }) => String(reason).startsWith('Call'));
    const found = calls.slice(-answers.length);
    return found.at(-1)?.function === 'driftReport' && found;
  });

  expect(records).toMatchObject([
    { function: 'keyStatus', reason: 'CallAnswered', ...person('revoker'), key: name, status: 200 },
    { function: 'revokeKey', reason: 'CallAnswered', ...person('revoker'), key: name, status: 200 },
    { function: 'keyStatus', reason: 'CallRefused', ...person('outsider'), key: name, because: 'RoleMissing' },
    {
      function: 'restoreKey',
      reason: 'CallRefused',
      caller: signIn(wire.azure, 'robot').objectId,
      kind: 'application',
      client: CLIENT_IDS.robot,
      key: name,
      because: 'PersonNeeded',
      correlationId: answers[3]?.body.correlationId,
    },
    { function: 'driftReport', ...person('revoker'), address: '203.0.113.9:4711' },
  ]);

  for (const record of records) expect(record).toMatchObject({ correlationId: expect.stringMatching(/^[\w-]{20,}$/) });
});
