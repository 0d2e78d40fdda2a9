import { expect, it } from 'vitest';
import type { AccountRevocation } from '../../src/revocation/account-record.ts';
import { accountRecordView, failureView, newestOfParts } from '../../src/revocation/record-view.ts';
import { localRole, PRINCIPAL, role, VAULT } from './account-parts.ts';
import { ALICE } from './records.ts';

const OF_ACCOUNT: AccountRevocation = {
  id: 'f00d',
  revokedOn: new Date('2026-03-02T10:00:00.000Z'),
  revokedBy: ALICE,
  part: 'identity',
  took: [role(1, { condition: '@Resource[x]' })],
};
const OF_SCOPE: AccountRevocation = {
  ...OF_ACCOUNT,
  id: 'cafe',
  part: 'scope:s1',
  took: [{ kind: 'scope', name: 's1' }],
};

it('shows of a record what was taken, by whom and when, without the texts of an assignment', () => {
  const shown = { revokedOn: '2026-03-02T10:00:00.000Z', revokedBy: ALICE };
  const { name } = role(1);
  expect(accountRecordView(OF_ACCOUNT)).toEqual({
    ...shown,
    id: 'f00d',
    took: [{ kind: 'role', name, scope: VAULT, principalId: PRINCIPAL }],
  });
  expect(accountRecordView(OF_SCOPE)).toEqual({
    ...shown,
    id: 'cafe',
    scope: 's1',
    took: [{ kind: 'scope', name: 's1' }],
  });
});

it('shows of a role in a Managed HSM in which one it was', () => {
  const [took] = accountRecordView({ ...OF_ACCOUNT, took: [localRole(1)] }).took;
  expect(took).toEqual(localRole(1));
});

it('shows of a failure the thing and the error', () => {
  const failure = { taken: { kind: 'scope', name: 's1' }, error: '403', forbidden: true, locked: false } as const;
  expect(failureView(failure)).toEqual({ kind: 'scope', name: 's1', error: '403' });
});

it('names of each part the newest, whoever spells it', () => {
  const older = { ...OF_SCOPE, id: 'beef', part: 'scope:S1' } as const;
  expect(newestOfParts([OF_SCOPE, OF_ACCOUNT, older]).map(({ id }) => id)).toEqual(['cafe', 'f00d']);
  expect(newestOfParts([])).toEqual([]);
});
