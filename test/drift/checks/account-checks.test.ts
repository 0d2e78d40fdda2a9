import { describe, expect, it } from 'vitest';
import { ACCOUNT_CHECKS, PROTECTION_CHECKS } from '../../../src/drift/checks/checks.ts';
import { evaluate } from '../../../src/drift/checks/evaluate.ts';
import type { AccountSubject, KeySubject, Rules } from '../../../src/drift/checks/subjects.ts';
import type { KeyVersion } from '../../../src/keys/key-versions.ts';
import type { Contest } from '../../../src/orders/standing-orders.ts';
import { type Cases, describeChecks } from './describe-checks.ts';
import {
  access,
  accessUnread,
  account,
  DAYS,
  fresh,
  inVersions,
  KEY,
  key,
  keyUnread,
  lacks,
  NEW,
  NOW,
  OLD,
  other,
  pinned,
  revoked,
  rules,
  scope,
  scopeOnly,
  subject,
  tomorrow,
  use,
  VAULT,
  version,
} from './subjects.ts';

const off = (one: KeyVersion): KeyVersion => ({ ...one, enabled: false });
const LAGGING = use({ current: OLD.version });
const UNLISTED = use({ current: 'f'.repeat(32) });
const MICROSOFT = subject({ use: undefined, key: undefined });
const tagged = (tag: string): AccountSubject => subject({ account: account({ tags: { 'cmk-key': tag } }) });
/** With a use of a key that has these versions. */
const on = (of: AccountSubject['use'], ...versions: readonly KeyVersion[]): AccountSubject =>
  subject({ use: of, key: inVersions(...versions) });
const scoped = (...of: Parameters<typeof scope>): AccountSubject => subject({ scopes: [scope(...of)] });
const missing = (state: KeySubject['state']): AccountSubject =>
  subject({ key: key({ state, versions: { value: [] } }) });
const required = (...require: Rules['drift']['require']): Rules => rules({ require });
/** An account that was on a managed key the day before, at noon. */
const gone = (tags: Record<string, string> = {}, identities: readonly string[] = []): AccountSubject =>
  subject({
    account: account({ tags, userAssignedIdentities: identities }),
    use: undefined,
    key: undefined,
    left: { key: key(), lastSeen: new Date(NOW.getTime() - DAYS) },
  });
/** With a user-assigned identity in its encryption settings. */
const withIdentity = (reason: 'IdentityMissing' | 'IdentityWithoutRole', id = '/identities/id-1'): AccountSubject =>
  subject({
    account: account({ encryption: { encryptionIdentity: { encryptionUserAssignedIdentity: id } } }),
    access: lacks(reason),
  });

const withAnotherIdentity = subject({
  account: account({
    encryption: { encryptionIdentity: { encryptionUserAssignedIdentity: '/identities/id-1' } },
    userAssignedIdentities: ['/identities/id-2'],
  }),
  access: lacks('IdentityMissing'),
});
const EXPIRED: KeyVersion = { ...OLD, expiresOn: new Date(NOW.getTime() - DAYS) };
/** Pinned to a version that has expired, of a key with these versions. */
const expired = (...versions: readonly KeyVersion[]): AccountSubject => on(pinned(EXPIRED), ...versions);

const SUBSCRIPTION = `/subscriptions/${account().subscriptionId}`;

const DENIALS: NonNullable<AccountSubject['moveDenials']> = [
  {
    assignment:
      '/providers/Microsoft.Management/managementGroups/corp/providers/Microsoft.Authorization/policyAssignments/a',
    name: 'Storage baseline',
    definition: '/providers/Microsoft.Authorization/policyDefinitions/d',
    reference: undefined,
    fields: ['kind'],
  },
];
const policed = (of: AccountSubject['use']): AccountSubject => subject({ use: of, moveDenials: DENIALS });

const accounts: Record<string, Cases<AccountSubject>> = {
  StaleKeyVersion: {
    found: [
      ['pinned to an older version', subject({ use: pinned(OLD) }), /pinned to 0+100/],
      ['pinned to a version that the key no longer has', subject({ use: use({ pinned: 'f'.repeat(32) }) }), /pinned/],
    ],
    right: [
      ['pinned to the newest usable version', subject()],
      ['automatic', subject({ use: LAGGING })],
      ['pinned to a version newer than every usable one', on(pinned(NEW), OLD, off(NEW))],
      ['the newer version is not active yet', on(pinned(OLD), OLD, { ...NEW, notBefore: tomorrow })],
      ['the key is revoked', on(pinned(OLD), revoked(100), revoked(10))],
      ['Microsoft-managed', MICROSOFT],
    ],
  },
  PolicyBlocksMove: {
    found: [
      [
        'a pinned account that a policy denies',
        policed(pinned(NEW)),
        /"Storage baseline" denies each change of it, .* because of kind \(/,
      ],
      ['a denied automatic account', policed(use()), /Storage moves it itself, within a day\./],
      ['a denied account that is behind', policed(pinned(OLD)), /and so its move to a new key version/],
    ],
    right: [
      ['no policy denies it', subject()],
      ['on a key of another vault', { ...policed(pinned(NEW)), key: undefined }],
      ['Microsoft-managed', { ...MICROSOFT, moveDenials: DENIALS }],
    ],
  },
  LaggingAutomaticVersion: {
    found: [['behind for more than a day', subject({ use: LAGGING }), /0+100/]],
    right: [
      ['on the newest version', subject({ use: use() })],
      ['behind for less than a day', on(LAGGING, OLD, fresh)],
      ['the newer one became active today', on(LAGGING, OLD, { ...NEW, notBefore: fresh.createdOn })],
      ['Azure does not tell its version', subject({ use: use({ current: undefined }) })],
      ['pinned', subject({ use: pinned(OLD) })],
    ],
  },
  ScopeStaleKeyVersion: {
    found: [
      ['a pinned scope behind', scoped(pinned(OLD)), /0+100/],
      ['an automatic scope behind for more than a day', scoped(LAGGING), /0+100/],
    ],
    right: [
      ['no scope', subject()],
      ['a scope on the newest version', scoped(pinned(NEW))],
      ['a scope on a key of another vault', scoped(other, { key: undefined })],
    ],
  },
  NotCustomerManaged: {
    found: [
      ['tagged with a key', { ...tagged('kv-files/files-key'), use: undefined }, /Microsoft-managed/],
      ['required of all', MICROSOFT, /Microsoft-managed/, required({ kind: 'all' })],
      [
        'required by a tag',
        subject({ account: account({ tags: { 'data-class': 'secret' } }), use: undefined, key: undefined }),
        /Microsoft-managed/,
        required({ kind: 'tag', name: 'Data-Class', value: 'secret' }),
      ],
      [
        'required of its resource group',
        MICROSOFT,
        /Microsoft-managed/,
        required({ kind: 'scope', scope: account().id.split('/').slice(0, 5).join('/').toUpperCase() }),
      ],
    ],
    right: [
      ['customer-managed', subject(), required({ kind: 'all' })],
      ['no policy requires it', MICROSOFT],
      [
        'another value of the tag',
        subject({ account: account({ tags: { 'data-class': 'public' } }), use: undefined }),
        required({ kind: 'tag', name: 'data-class', value: 'secret' }),
      ],
      [
        'a resource group whose name begins the same',
        subject({ use: undefined }),
        required({ kind: 'scope', scope: account().id.split('/').slice(0, 5).join('/').slice(0, -1) }),
      ],
    ],
  },
  UnexpectedKey: {
    found: [
      ['another key', tagged('kv-files/other-key'), /files-key/],
      ['another vault', tagged('kv-other/files-key'), /kv-files/],
      ['a tag that names no key', tagged('???'), /kv-files/],
      ['another key, tagged by its identifier', tagged('https://kv-other.vault.azure.net/keys/files-key'), /kv-files/],
    ],
    right: [
      ['the key of its tag', tagged('KV-FILES/Files-Key')],
      ['the key of its tag, with blanks', tagged(' kv-files/files-key ')],
      ['the key of its tag, by its identifier', tagged('https://kv-files.vault.azure.net/keys/files-key')],
      ['no tag', subject()],
    ],
  },
  UnmanagedVault: {
    found: [
      ['the account', subject({ use: other, key: undefined }), /kv-other/],
      ['a scope', scoped(other, { key: undefined }), /kv-other/],
    ],
    right: [
      ['a managed vault', scoped(pinned(NEW))],
      ['Microsoft-managed', MICROSOFT],
    ],
  },
  KeyDisabled: {
    found: [
      ['the newest one, where Azure does not tell', on(use({ current: undefined }), OLD, off(NEW)), /disabled/],
      ['pinned to a disabled version', on(pinned(OLD), off(OLD), NEW), /0+100, is disabled/],
      ['automatic on a disabled version', on(LAGGING, off(OLD), NEW), /disabled/],
      ['revoked', on(pinned(NEW), revoked(100), revoked(10)), /by the revocation of/],
      ['a scope', scoped(pinned(OLD), { key: inVersions(off(OLD), NEW) }), /disabled/],
    ],
    right: [
      ['on a scope of a vault that is not managed', scoped(other, { key: undefined })],
      ['enabled', subject()],
      ['only a version that it does not use is disabled', subject({ key: inVersions(off(OLD), NEW) })],
    ],
  },
  KeyExpired: {
    found: [['expired', on(pinned(OLD), { ...OLD, expiresOn: new Date(NOW.getTime() - DAYS) }, NEW), /expired on/]],
    right: [
      ['not expired', subject()],
      ['disabled counts more than expired', on(pinned(OLD), { ...OLD, enabled: false, expiresOn: new Date(0) }, NEW)],
    ],
  },
  KeyDeleted: {
    found: [
      ['soft-deleted', missing('deleted'), /soft-deleted/],
      ['never there', missing('absent'), /no key .* not even a soft-deleted one/],
      ['gone, to an unknown place', missing('gone'), /no key .* could not read whether a soft-deleted one exists/],
      ['with its vault', missing('vaultGone'), /vault .* no longer exists/],
      ['of a scope', scoped(use(), { key: key({ state: 'deleted' }) }), /soft-deleted/],
      ['made anew under its name', subject({ use: UNLISTED, lost: true }), /has no version f{32}, .* created again/],
      ['of a scope, made anew under its name', scoped(UNLISTED, { lost: true }), /has no version f{32}/],
    ],
    right: [
      ['there', subject()],
      ['its version may be newer than the list', subject({ use: UNLISTED })],
    ],
  },
  NoLongerCustomerManaged: {
    found: [
      ['left its key', gone(), /used https:\/\/kv-files.vault.azure.net\/keys\/files-key until 2026-05-31/],
      ['opted out before it was last seen on a key', gone({ 'cmk-opt-out': '2026-05-30 CHG-1' }), /Microsoft-managed/],
      ['a tag without a time', gone({ 'cmk-opt-out': 'yes' }), /Microsoft-managed/],
      ['an earlier time of that day', gone({ 'cmk-opt-out': '2026-05-31T11:54:00Z x' }), /Microsoft-managed/],
    ],
    right: [
      ['never was on one', MICROSOFT],
      ['is on one', subject()],
      ['is on another vault', { ...gone(), use: other }],
      ['opted out', gone({ 'CMK-Opt-Out': '2026-06-01T11:00:00.000Z owner' })],
      ['opted out by a clock that is four minutes slow', gone({ 'cmk-opt-out': '2026-05-31T11:56:00Z x' })],
      ['opted out on that day', gone({ 'cmk-opt-out': '2026-05-31' })],
      ['its tag says which key it has to use: that is another finding', gone({ 'cmk-key': 'kv-files/files-key' })],
      ['CMK_REQUIRE asks for a key: that is another finding', gone(), required({ kind: 'all' })],
    ],
  },
  IdentityMissing: {
    found: [
      ['none', subject({ access: lacks('IdentityMissing') }), /IdentityMissing of this test/],
      ['none for a scope', scopeOnly(lacks('IdentityMissing')), /IdentityMissing of this test/],
    ],
    right: [
      ['there', subject()],
      ['deleted: that is another finding', subject({ access: lacks('IdentityDeleted') })],
    ],
  },
  IdentityDeleted: {
    found: [
      ['deleted', subject({ access: lacks('IdentityDeleted') }), /IdentityDeleted of this test/],
      ['deleted, and a scope needs it', scopeOnly(lacks('IdentityDeleted')), /IdentityDeleted of this test/],
    ],
    right: [
      ['there', subject()],
      ['not attached: that is another finding', subject({ access: lacks('IdentityMissing') })],
      ['a key of a vault that is not managed', subject({ use: other, key: undefined, access: undefined })],
      ['Microsoft-managed', subject({ use: undefined, key: undefined, access: undefined })],
    ],
  },
  IdentityWithoutRole: {
    found: [
      ['no role', subject({ access: lacks('IdentityWithoutRole') }), /IdentityWithoutRole of this test/],
      ['no role on the key of a scope', scopeOnly(lacks('IdentityWithoutRole')), /IdentityWithoutRole of this test/],
    ],
    right: [['has its role', subject()]],
  },
};

/** An account of tenant 1 with a key of a vault that trusts tenant 2. */
const abroad = (change: Partial<AccountSubject> = {}): AccountSubject =>
  subject({ tenantId: 'tenant-1', key: key({ tenantId: 'tenant-2' }), ...change });
const federated = { encryptionIdentity: { encryptionFederatedIdentityClientId: 'app-1' } };
const ends = (days: number): AccountSubject =>
  subject({ access: access({ until: new Date(NOW.getTime() + days * DAYS) }) });
const contest = (by: Contest['by']): Contest => ({
  id: 'c',
  account: subject().account.id,
  since: NOW.toISOString(),
  until: '2026-06-02T12:00:00.000Z',
  by,
});
const reverted = (change: Partial<AccountSubject> = {}): AccountSubject =>
  subject({ use: pinned(OLD), before: NEW.version, ...change });
Object.assign(accounts, {
  RoleExpires: {
    found: [
      ['in ten days', ends(10), /^The role of its identity p on the key expires on 2026-06-11/],
      ['of a scope', scopeOnly(access({ until: new Date(NOW.getTime() + DAYS) })), /2026-06-02/],
    ],
    right: [
      ['in a year', ends(365)],
      ['for good', subject()],
    ],
  } satisfies Cases<AccountSubject>,
  ContestedChange: {
    found: [
      [
        'by a template',
        subject({ contest: contest({ name: 'Terry', client: 'c1' }) }),
        /^Terry with the client c1 changed it on .* repaired it twice within an hour; it uses .* until /,
      ],
      ['by an unknown caller', subject({ contest: contest({}) }), /^An unnamed caller changed it/],
      ['onto no key', subject({ contest: contest({}), use: undefined }), /it uses no key of Key Vault\. The app/],
      ['unpinned', subject({ contest: contest({}), use: use() }), /it uses the version that Storage chooses of/],
    ],
    right: [['not contested', subject()]],
  } satisfies Cases<AccountSubject>,
  VersionReverted: {
    found: [['by an operator', reverted(), /pinned to 0+100, and was pinned to the newer 0+10\.$/]],
    right: [
      ['never seen before', reverted({ before: undefined })],
      ['moved on', reverted({ use: pinned(NEW), before: OLD.version })],
      ['automatic by now', reverted({ use: use() })],
      ['the newer version is gone', reverted({ key: inVersions(OLD) })],
      ['the newer version is disabled', reverted({ key: inVersions(OLD, { ...NEW, enabled: false }) })],
      ['Microsoft-managed by now', reverted({ use: undefined, key: undefined })],
    ],
  } satisfies Cases<AccountSubject>,
  TenantMismatch: {
    found: [
      ['its vault', abroad(), /trusts the tenant tenant-2, but the account is in the tenant tenant-1/],
      [
        'the vault of a scope',
        abroad({ key: key({ tenantId: 'Tenant-1' }), scopes: [scope(use(), { key: key({ tenantId: 'tenant-2' }) })] }),
        /tenant-2/,
      ],
    ],
    right: [
      ['one tenant', abroad({ tenantId: 'TENANT-2' })],
      ['it signs in by an application of both', abroad({ account: account({ encryption: federated }) })],
      ['Microsoft-managed', abroad({ use: undefined, key: undefined })],
    ],
  } satisfies Cases<AccountSubject>,
});

// Those of what the key does not protect have a file of their own.
const own = ACCOUNT_CHECKS.filter((check) => !PROTECTION_CHECKS.includes(check));
const unread = (of: AccountSubject['use']) => subject({ use: of, key: keyUnread, access: accessUnread });
describeChecks(own, accounts, account().id, {
  'its key and its access': unread(pinned(OLD)),
  'the key of an automatic account': unread(LAGGING),
  'the key of a scope': subject({ scopes: [unread(pinned(OLD))] }),
  'what it used before': reverted({ key: keyUnread }),
  'the tenant of its subscription': abroad({ tenantId: undefined }),
  'the vault': abroad({ key: key({ tenantId: undefined }) }),
});

const found = (of: AccountSubject, by = rules()) => evaluate(ACCOUNT_CHECKS, of, account().id, by);

describe('account checks', () => {
  it('The account checks report a denied move as a warning if the account is pinned, as advice if automatic, of one cause', () => {
    const denied = [policed(pinned(NEW)), policed(use())];
    const found = denied.flatMap((of) => evaluate(ACCOUNT_CHECKS, of, of.resource, rules()));
    expect(found.map(({ severity, cause }) => [severity, cause.about])).toEqual([
      ['warning', [DENIALS[0]?.assignment]],
      ['advice', [DENIALS[0]?.assignment]],
    ]);
  });

  const severitiesOf = (subject: AccountSubject, by: Rules = rules()) =>
    found(subject, by).map(({ reason, severity }) => `${reason} ${severity}`);

  it.each([
    ['a minute after', 1, 'advice'],
    ['59 minutes after', 59, 'advice'],
    ['61 minutes after', 61, 'error'],
  ])('a pinned account that has not moved yet is %s a rotation: %i, %s', (_, minutes, severity) => {
    const newer = version(minutes / 24 / 60);
    const behind = { use: pinned(OLD), key: inVersions(OLD, newer) };

    expect(severitiesOf(subject(behind))).toEqual([`StaleKeyVersion ${severity}`]);

    const scopes = [scope(behind.use, { key: behind.key })];
    expect(severitiesOf(subject({ use: undefined, key: undefined, scopes }))) //
      .toEqual([`ScopeStaleKeyVersion ${severity}`]);

    const [finding] = found(subject(behind));

    // It is put to work all the same: the event may have been lost.
    expect(finding?.canFix).toBe(true);

    if (severity === 'advice') expect(finding?.is).toMatch(new RegExp(`usable ${minutes} minutes? ago`));
  });

  it('an automatic use for which the app asked Storage to check gets no second repair for that version', () => {
    const asked = (version: string) =>
      found(subject({ use: LAGGING, asked: version, scopes: [scope(LAGGING, { asked: version })] }));
    expect(asked(NEW.id)).toMatchObject([
      {
        reason: 'LaggingAutomaticVersion',
        canFix: false,
        is: expect.stringContaining('The app asked Storage to check'),
      },
      { reason: 'ScopeStaleKeyVersion', canFix: false, is: expect.stringContaining('The app asked Storage to check') },
    ]);
    expect(asked(OLD.id)).toMatchObject([{ canFix: true }, { canFix: true }]);
  });

  it('an automatic scope that lags has the severity of an account that lags', () => {
    const lagging = subject({
      use: LAGGING,
      scopes: [scope(LAGGING)],
    });
    expect(severitiesOf(lagging)).toEqual(['LaggingAutomaticVersion warning', 'ScopeStaleKeyVersion warning']);
  });

  it("the app's own storage gets no command that would lock the app out", () => {
    const own = { own: true, use: undefined, key: undefined, access: undefined };
    const [finding] = found(subject(own), required({ kind: 'all' }));
    expect(finding).toMatchObject({ reason: 'NotCustomerManaged' });
    expect(finding?.shouldBe).toContain('of a vault that the app does not manage');
    expect(severitiesOf(subject({ ...own, use: other }))).toEqual([]);
  });

  it('an expired key is a warning, and an error with their names where it stops virtual machines', () => {
    const check = ACCOUNT_CHECKS.filter(({ reason }) => reason === 'KeyExpired');
    const expired = { ...OLD, expiresOn: new Date(NOW.getTime() - DAYS) };
    const type = 'Microsoft.Compute/diskEncryptionSets';
    const id = `${SUBSCRIPTION}/resourceGroups/rg-vms/providers/${type}/des-vms`;
    const uses = [{ path: 'activeKey.keyUrl', version: OLD.version }];
    const place = { region: 'westeurope', subscriptionId: account().subscriptionId };
    const des = { id, name: 'des-vms', type: type.toLowerCase(), ...place, uses, known: true };
    const of = (others: NonNullable<AccountSubject['key']>['others'] & {}) =>
      evaluate(check, subject({ use: pinned(OLD), key: { ...inVersions(expired, NEW), others } }), 'a', rules());

    expect(of([])).toMatchObject([{ severity: 'warning' }]);
    expect(of([des])).toMatchObject([
      { severity: 'error', is: expect.stringMatching(/disk encryption set des-vms\.$/) },
    ]);

    // It is moving away from that version.
    expect(of([{ ...des, uses: [{ path: 'previousKeys.keyUrl', version: OLD.version }] }])).toMatchObject([
      { severity: 'warning' },
    ]);
  });

  it('a disabled key is a warning while it is revoked, since that is intended', () => {
    const check = ACCOUNT_CHECKS.filter(({ reason }) => reason === 'KeyDisabled');
    const revokedKey = subject({ key: inVersions(revoked(100), revoked(10)) });
    expect(evaluate(check, revokedKey, 'a', rules())).toMatchObject([{ severity: 'warning' }]);
  });

  it.each([
    ['IdentityWithoutRole', withIdentity('IdentityWithoutRole'), ['/identities/id-1', VAULT.id], /^az role assignment/],
    ['IdentityMissing', withIdentity('IdentityMissing'), ['/identities/id-1', VAULT.id], / \/identities\/id-1$/],
    ['IdentityMissing', subject({ access: lacks('IdentityMissing') }), [SUBSCRIPTION, VAULT.id], undefined],
    // Storage shows "" once an account has gone from a user-assigned identity to its system-assigned one.
    ['IdentityMissing', withIdentity('IdentityMissing', ''), [SUBSCRIPTION, VAULT.id], undefined],
    ['NoLongerCustomerManaged', gone(), [KEY.id], /^cmk account enable \S+ --vault \S+ --key files-key$/],
    ['NoLongerCustomerManaged', gone({}, ['/id-1']), [KEY.id], / --identity \/id-1$/],
    ['NoLongerCustomerManaged', gone({}, ['/id-1', '/id-2']), [KEY.id], undefined],
    ['KeyDisabled', subject({ key: inVersions(off(NEW)) }), [NEW.id], undefined],
    ['KeyDeleted', subject({ key: key({ state: 'deleted' }) }), [KEY.id], /^az keyvault key recover/],
    ['KeyDeleted', subject({ key: key({ state: 'absent' }) }), [KEY.id], undefined],
    ['VaultNotFound', subject({ key: key({ state: 'vaultGone' }) }), [VAULT.id], /^az keyvault recover/],
    ['RevocationOpen', subject({ key: inVersions(revoked(100), revoked(10)) }), [KEY.id], /^cmk key restore files-key/],
    ['StaleKeyVersion', subject({ use: pinned(OLD) }), [KEY.id], /^cmk account pin/],
    ['IdentityMissing', withAnotherIdentity, ['/identities/id-1', VAULT.id], undefined],
    ['KeyExpired', expired(EXPIRED), [KEY.id], /^cmk key rotate/],
    ['KeyExpired', expired(version(200), EXPIRED), [KEY.id], /^cmk key rotate/],
    ['KeyExpired', expired({ ...EXPIRED, tags: { 'cmk-origin': 'imported' } }), [KEY.id], undefined],
    ['KeyExpired', expired(EXPIRED, off(NEW)), [KEY.id], undefined],
  ])('a finding has its cause, and the command that fixes it: %s', (reason, of, about, command) => {
    const [finding] = found(of);
    expect(finding?.cause).toEqual({ id: expect.stringMatching(/^[0-9a-f]{16}$/), reason, about });
    if (command) expect(finding?.command).toMatch(command);
    else expect(finding?.command).toBeUndefined();
  });

  it.each([
    ['a disabled version', subject({ key: inVersions(off(NEW)) }), /^Ask who disabled the version and why/],
    ['a role that is gone', withIdentity('IdentityWithoutRole'), /^If `cmk account revoke` removed its access/],
  ])('%s may be intentional, so the finding names whom to ask before access is granted again', (_, of, first) => {
    expect(found(of)[0]?.fix).toMatch(first);
  });

  it('the age of a newer version counts from the latest possible time at which it was enabled, not from its creation', () => {
    const newer = { ...NEW, updatedOn: new Date(NOW.getTime() - DAYS / 48) };
    const check = (of: AccountSubject) => evaluate(ACCOUNT_CHECKS, of, 'a', rules());
    expect(check(on(pinned(OLD), OLD, newer))).toMatchObject([
      { severity: 'advice', is: expect.stringContaining('became usable 30 minutes ago') },
    ]);
    expect(check(on(LAGGING, OLD, newer))).toEqual([]);
  });

  it('a use of an expired version is moved to a usable one, if one command does that', () => {
    const commandOf = (of: AccountSubject): string | undefined =>
      found(of).find(({ reason }) => reason === 'KeyExpired')?.command;
    const versions = [EXPIRED, NEW];
    expect(commandOf(expired(...versions))).toBe(`cmk account pin ${account().id}`);
    expect(commandOf({ ...expired(...versions), use: use({ current: EXPIRED.version }) })).toBeUndefined();
    const ofScope = scope(pinned(EXPIRED), { key: inVersions(...versions) });
    expect(commandOf(subject({ scopes: [ofScope] }))).toBeUndefined();
  });

  it('the command pins again an account that was pinned, and no other', () => {
    const commandOf = (pinned: boolean) => {
      const of = { ...gone(), left: { key: key(), lastSeen: new Date(NOW.getTime() - DAYS), pinned } };
      return found(of)[0]?.command;
    };
    expect(commandOf(true)).toMatch(/^cmk account enable .* --key files-key --pin newest$/);
    expect(commandOf(false)).toMatch(/^cmk account enable .* --key files-key$/);
  });

  it.each([
    [3, 'error'],
    [4, 'warning'],
  ])('a role that ends in %i days is: %s', (days, severity) => {
    expect(severitiesOf(ends(days))).toEqual([`RoleExpires ${severity}`]);
  });

  it.each([
    [
      'pins an older version',
      contest({ client: 'c1' }),
      pinned(OLD),
      /Terraform: `key_vault_key_id = .*versionless_id`.*`lifecycle { ignore_changes = \[key_version\] }`.* Bicep: no `keyversion` .* Azure CLI: /,
    ],
    [
      'takes the account off its key',
      contest({ client: 'c1' }),
      undefined,
      /`lifecycle { ignore_changes = \[customer_managed_key\] }`.* Bicep: `keySource: 'Microsoft\.Keyvault'`/,
    ],
    [
      'signed in with the Azure CLI',
      contest({ client: '04B07795-8ddb-461a-bbee-02f9e1bf7b46' }),
      pinned(OLD),
      /It signed in with the Azure CLI\. In a script: `az storage account update` without `--encryption-key-version`/,
    ],
  ])('a contested change by a tool that %s has the snippet that ends it', (_, contested, present, snippet) => {
    const [finding] = found(subject({ contest: contested, use: present })).filter(
      ({ reason }) => reason === 'ContestedChange',
    );
    expect(finding?.shouldBe).toMatch(snippet);
  });

  it.each([
    ['is one cause, with the account', reverted(), 'VersionReverted'],
    ['is the contest once the app has stopped', reverted({ contest: contest({}) }), 'ContestedChange'],
  ])('a pin to an older version %s', (_, of, reason) => {
    const causes = found(of).map(({ cause }) => cause);
    expect(causes.length).toBeGreaterThan(1);
    expect(new Set(causes.map(({ id }) => id)).size).toBe(1);
    expect(causes[0]).toMatchObject({ reason, about: [account().id] });
  });

  it.each([
    ['a lock', 'ScopeLocked', `Remove the lock (\`az lock list --subscription ${account().subscriptionId}\` shows it)`],
    ['Azure Policy', 'DeniedByPolicy', 'Exempt the account from the policy'],
  ] as const)('an account whose move %s forbids is an error with that cause at once', (_, blocked, fix) => {
    const of = subject({ use: pinned(OLD), key: inVersions(OLD, fresh), blocked });
    expect(found(of)).toMatchObject([
      {
        reason: 'StaleKeyVersion',
        severity: 'error',
        cause: { reason: blocked, about: [account().id] },
        fix: expect.stringContaining(fix),
      },
    ]);
  });

  it('an identity is missing once, however many of its scopes need it, and a role at each of them', () => {
    const both = (reason: 'IdentityMissing' | 'IdentityDeleted' | 'IdentityWithoutRole') =>
      found(subject({ access: lacks(reason), scopes: [scope(pinned(NEW), { access: lacks(reason) })] })).map(
        ({ resource }) => resource,
      );
    expect(both('IdentityMissing')).toEqual([account().id]);
    expect(both('IdentityDeleted')).toEqual([account().id]);
    expect(both('IdentityWithoutRole')).toEqual([account().id, `${account().id}/encryptionScopes/scope1`]);
  });
});
