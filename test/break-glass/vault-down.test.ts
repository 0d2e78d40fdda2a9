import { expect, it } from 'vitest';
import { routeCalls } from '../api/route-calls.ts';
import { useWire } from '../support/wire.ts';
import { keyOf } from './break-glass-fixture.ts';

const wire = useWire();

it.each([
  [500, 'ServiceUnavailable'],
  [403, 'VaultUnreadable'],
])(
  'while Key Vault answers %s, each refusal prints the command that does the same without the app',
  async (status, reason) => {
    const { name } = keyOf(wire.azure, 1);
    const call = routeCalls(wire, 'operator');
    const revoke = { reason: 'A laptop was stolen', confirm: `kv-files/${name}` };
    const restore = { reason: 'The laptop is back', revocation: 'cafe' };
    const calls = [
      ['keyStatus', {}, 'cmk key show'],
      ['revokeKey', { query: '?dryRun=true' }, 'cmk key revoke --dry-run'],
      ['revokeKey', { body: revoke }, 'cmk key revoke'],
      ['restoreKey', { body: restore }, 'cmk key restore'],
    ] as const;

    wire.azure.faults.add([{ match: { host: 'kv-files.vault.azure.net' }, answer: { status } }]);

    for (const [id, given, command] of calls) {
      const answer = await call(id, { vault: 'kv-files', key: name, ...given });
      expect(answer, command).toMatchObject({ status: 502, body: { reason } });

      const commands = String(answer.body.nextStep).match(/`cmk [^`]*`/g);
      expect(commands).toEqual([`\`${command}\``]);
    }
  },
);
