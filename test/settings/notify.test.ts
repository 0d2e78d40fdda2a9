import { describe, expect, it } from 'vitest';
import { NOTIFICATION_KINDS } from '../../src/settings/notify-targets.ts';
import { readNotify } from '../../src/settings/settings.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const hook = { name: 'siem', kind: 'webhook', address: 'https://siem.example/in?code=s3cret', secret: SECRET };
const teams = {
  name: 'ops',
  kind: 'teams',
  address: 'https://flow.example/s3cret',
  notifications: ['revoked', 'digest'],
};
const read = (value: unknown) => readNotify({ CMK_NOTIFY: typeof value === 'string' ? value : JSON.stringify(value) });
const problem = (...targets: unknown[]) => read({ targets }).problems.join();

describe('CMK_NOTIFY', () => {
  it('A target of CMK_NOTIFY gets every notification unless it lists some', () => {
    const { problems, targets, digestHour } = read({ targets: [hook, teams] });
    expect(problems).toEqual([]);
    expect(digestHour).toBe(6);

    expect(targets).toEqual([
      {
        name: hook.name,
        kind: hook.kind,
        address: hook.address,
        secrets: [Buffer.alloc(32, 7)],
        notifications: NOTIFICATION_KINDS,
      },
      { ...teams, secrets: [] },
    ]);

    expect(read({ digestHour: 0, targets: [teams] }).digestHour).toBe(0);
    expect(readNotify({})).toEqual({ problems: [], targets: [], digestHour: 6 });
  });

  it('A target of CMK_NOTIFY accepts several secrets, so that one can be replaced without a gap', () => {
    const other = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
    expect(read({ targets: [{ ...hook, secret: [SECRET, other] }] }).targets[0]?.secrets).toHaveLength(2);
  });

  it.each([
    [
      'an address without TLS',
      { ...hook, address: 'http://127.0.0.1:8080/s3cret' },
      'targets[0].address: is not an https',
    ],
    ['a user name in the address', { ...hook, address: 'https://me:s3cret@siem.example/' }, 'user name, password'],
    ['no address', { ...hook, address: undefined }, 'targets[0].address: is missing'],
    [
      'a webhook without a secret',
      { ...hook, secret: undefined },
      'targets[0].secret: is missing: the app signs requests to a webhook',
    ],
    ['a secret for Slack', { ...teams, kind: 'slack', secret: SECRET }, 'is only for webhooks'],
    ['a short secret', { ...hook, secret: `whsec_${Buffer.from('s3cret').toString('base64')}` }, '24 to 64 bytes'],
    ['a secret of another form', { ...hook, secret: 's3cret' }, 'is not whsec_ followed by base64'],
    ['an unknown kind', { ...hook, kind: 'pager' }, 'targets[0].kind: is not one of webhook, teams, slack'],
    ['an unknown notification', { ...teams, notifications: ['s3cret'] }, 'notifications[0]: is not one of revoked'],
    ['no notification', { ...teams, notifications: [] }, 'notifications: is empty'],
    ['a name with blanks', { ...hook, name: 'My SIEM' }, 'targets[0].name: does not consist of'],
    ['an unknown member', { ...hook, adress: 'x' }, 'Unrecognized key: "adress"'],
  ])('CMK_NOTIFY rejects %s, and the error does not repeat the value', (_what, target, said) => {
    const told = problem(target);
    expect(told).toMatch(/^CMK_NOTIFY /);
    expect(told).toContain(said);
    expect(told).not.toContain('s3cret');
    expect(read({ targets: [target] }).targets).toEqual([]);
  });

  it('CMK_NOTIFY rejects two targets of one name, no target, an invalid hour, and text that is not JSON', () => {
    expect(problem(hook, { ...teams, name: 'siem' })).toContain('targets: has two targets with the same name');
    expect(problem()).toContain('targets: is empty');
    expect(read({ digestHour: 24, targets: [hook] }).problems.join()).toContain('digestHour: is above 23');
    expect(read('https://siem.example/s3cret').problems).toEqual([expect.stringMatching(/^CMK_NOTIFY is not JSON/)]);
    expect(read('https://siem.example/s3cret').problems.join()).not.toContain('s3cret');
  });

  it('The error of CMK_NOTIFY tells that its Key Vault reference was not resolved', () => {
    const reference = '@Microsoft.KeyVault(SecretUri=https://kv-ops.vault.azure.net/secrets/cmk-notify)';
    expect(read(reference).problems).toEqual([
      expect.stringContaining('Key Vault reference that could not be resolved'),
    ]);
  });
});
