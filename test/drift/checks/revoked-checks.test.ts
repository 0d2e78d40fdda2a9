import { describe, expect, it } from 'vitest';
import { ACCOUNT_CHECKS } from '../../../src/drift/checks/checks.ts';
import { evaluate } from '../../../src/drift/checks/evaluate.ts';
import { REVOKED_CHECKS, revokedSince } from '../../../src/drift/checks/revoked-checks.ts';
import type { AccountSubject } from '../../../src/drift/checks/subjects.ts';
import { healthOfSubject } from '../../../src/drift/subject-health.ts';
import { formatAccountRevocation, revokedPart } from '../../../src/revocation/account-record.ts';
import { ALICE } from '../../revocation/records.ts';
import { type Cases, describeChecks } from './describe-checks.ts';
import { access, account, lacks, NOW, OLD, pinned, rules, scope, subject, use } from './subjects.ts';

const HOUR_AGO = new Date(NOW.getTime() - 3_600_000);

function tags(...scopes: readonly (string | undefined)[]): Record<string, string> {
  const records = scopes.map((name, n) =>
    formatAccountRevocation({
      id: `f00${n}`,
      revokedOn: HOUR_AGO,
      revokedBy: ALICE,
      part: revokedPart(name),
      took: [],
    }),
  );
  return Object.assign({}, ...records);
}
const revoked = (scopes: readonly (string | undefined)[], change: Partial<AccountSubject> = {}): AccountSubject =>
  subject({ account: account({ tags: tags(...scopes) }), access: lacks('IdentityWithoutRole'), ...change });
const off = { scope: { name: 'scope1', enabled: false, keyUri: '', currentKeyId: undefined } };

const cases: Record<string, Cases<AccountSubject>> = {
  AccountRevocationOpen: {
    found: [['an account that is revoked by itself', revoked([undefined]), /revoked by itself on .* \(f000\)/]],
    right: [
      ['an account that is not', subject()],
      ['one with a scope that is', revoked(['scope1'])],
    ],
    unread: [],
  },
  ScopeRevocationOpen: {
    found: [['a scope that is revoked by itself', revoked(['scope1']), /revoked by itself/]],
    right: [['its account', revoked([undefined])]],
    unread: [],
  },
  AccountRevocationNotHeld: {
    found: [
      ['an identity that may use the key all the same', revoked([undefined], { access: access() }), /may use the key/],
      ['a scope that is enabled', revoked(['scope1'], { scopes: [scope(use())] }), /the encryption scope is enabled/],
    ],
    right: [
      ['an identity without its role', revoked([undefined])],
      ['a scope that is disabled', revoked(['scope1'], { scopes: [scope(use(), off)] })],
      ['nothing that is revoked', subject({ access: access() })],
    ],
    unread: [
      ['whether it may', revoked([undefined], { access: access({ ready: 'unknown', missing: [''] }) })],
      ['the scopes', revoked(['scope1'])],
    ],
  },
  AccountRecordUnbelieved: {
    found: [
      ['a record of somebody else', subject({ account: account({ tags: { 'cmk-revoked-f00d': 'yes' } }) }), /f00d/],
    ],
    right: [['a record that is whole', revoked([undefined])]],
    unread: [],
  },
};
describeChecks(REVOKED_CHECKS, cases, account().id);

describe('what the other checks say of an account that is revoked by itself', () => {
  const reasonsOf = (of: AccountSubject): string[] =>
    evaluate(ACCOUNT_CHECKS, of, of.account.id, rules()).map(({ reason }) => reason);
  const behind = { use: pinned(OLD), scopes: [scope(pinned(OLD))] };

  it('is nothing: no fix moves it, no command gives the role back, and it counts as revoked', () => {
    const of = revoked([undefined], behind);
    const found = evaluate(ACCOUNT_CHECKS, of, of.account.id, rules());
    expect(found.map(({ reason }) => reason)).toEqual(['AccountRevocationOpen']);
    expect(found[0]).toMatchObject({
      canFix: false,
      command: "cmk account restore stfiles01 --revocation f000 --reason '<why>'",
      severity: 'warning',
    });
    expect(healthOfSubject(of, found, { vaultOf: () => undefined, rules: rules() }).state).toBe('Revoked');
  });

  it('is said once, of the newest revocation, where another one was joined', () => {
    const of = revoked([undefined, undefined]);
    const found = evaluate(REVOKED_CHECKS, of, of.account.id, rules());
    expect(found.map(({ command }) => command)).toEqual([
      "cmk account restore stfiles01 --revocation f001 --reason '<why>'",
    ]);
  });

  it('has the time of its record, for what is told of it without a check', () => {
    const { account: of } = revoked([undefined]);
    const since = (reason: string, one = of) => revokedSince({ reason }, one, rules());
    expect(since('AccountRevocationOpen')).toBe(HOUR_AGO.toISOString());
    expect(since('AccountRevocationOpen', account())).toBeUndefined();
    expect(since('StaleKeyVersion')).toBeUndefined();
  });

  it('is as before of its account where a scope alone is revoked', () => {
    const of = revoked(['scope1'], { ...behind, access: access() });
    expect(reasonsOf({ ...of, scopes: [scope(pinned(OLD), { ...off })] })).toEqual([
      'StaleKeyVersion',
      'ScopeRevocationOpen',
    ]);
    expect(reasonsOf(subject(behind))).toEqual(['StaleKeyVersion', 'ScopeStaleKeyVersion']);
  });
});
