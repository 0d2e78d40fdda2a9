import { describe, expect, it } from 'vitest';
import type { Check } from '../../src/drift/checks/check.ts';
import { ACCOUNT_CHECKS, ALL_CHECKS, APP_CHECKS, KEY_CHECKS, VAULT_CHECKS } from '../../src/drift/checks/checks.ts';
import { evaluate } from '../../src/drift/checks/evaluate.ts';
import type { AccountSubject, AppSubject, KeySubject, Rules, VaultSubject } from '../../src/drift/checks/subjects.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { REASONS } from '../../src/reasons.ts';
import {
  access,
  account,
  app,
  DAYS,
  eventSubscriptions,
  key,
  NEW,
  NOW,
  OLD,
  pinned,
  revoked,
  rules,
  scope,
  subject,
  UNREAD,
  use,
  VAULT,
  vault,
  vaultProperties,
  version,
} from './subjects.ts';

/** What a check says of subjects; `found` has a pattern for what is, and the rest has nothing to say. */
interface Cases<S> {
  readonly found: readonly (readonly [string, S, RegExp, Rules?])[];
  readonly right: readonly (readonly [string, S, Rules?])[];
  /** With the part that it goes by unread. */
  readonly unread: readonly (readonly [string, S])[];
}

const tomorrow = new Date(NOW.getTime() + 1 * DAYS);
const fresh = version(0.5);
const keyUnread = key({ versions: UNREAD, policy: UNREAD, material: UNREAD });
const unreadKeyOf = (of: AccountSubject['use']): AccountSubject => subject({ use: of, key: keyUnread });
const inVersions = (...versions: readonly KeyVersion[]) => key({ versions: { value: versions } });
/** A key whose newest version, ten days old, expires in so many days, and whose own policy rotates it. */
const rotating = (days: number, beforeExpiry?: string, afterCreate?: string, tags: Record<string, string> = {}) =>
  key({
    versions: { value: [version(10, { expiresOn: new Date(NOW.getTime() + days * DAYS), tags })] },
    policy: {
      value: { rotates: true, ...(beforeExpiry ? { beforeExpiry } : {}), ...(afterCreate ? { afterCreate } : {}) },
    },
  });
const usersUnread = key();
usersUnread.usage.markIncomplete();
const other = use({ vaultUri: 'https://kv-other.vault.azure.net' });
const poisoned = (messages: number) => app({ poison: { value: [{ queue: 'account-work-poison', messages }] } });
const lacks = (reason: 'IdentityMissing' | 'IdentityDeleted' | 'IdentityWithoutRole') =>
  access({ ready: false, reason, missing: [`${reason} of this test.`] });
const accessUnread = access({ ready: 'unknown', missing: ['Not read.'] });
const scopeOnly = (of: ReturnType<typeof access>) =>
  subject({ use: undefined, key: undefined, access: undefined, scopes: [scope(pinned(NEW), { access: of })] });
const unreadPart = 'unread' in UNREAD ? UNREAD.unread : undefined;
if (!unreadPart) throw new Error('unreachable');
const closedOff = {
  ...unreadPart,
  detail: '403 Forbidden: Client address is not authorized and caller is not a trusted service.',
};

const accounts: Record<string, Cases<AccountSubject>> = {
  StaleKeyVersion: {
    found: [
      ['pinned to an older version', subject({ use: pinned(OLD) }), /pinned to 0+100/],
      ['pinned to a version that the key no longer has', subject({ use: use({ pinned: 'f'.repeat(32) }) }), /pinned/],
    ],
    right: [
      ['pinned to the newest usable version', subject()],
      ['automatic', subject({ use: use({ current: OLD.version }) })],
      [
        'pinned to a version newer than every usable one',
        subject({ use: pinned(NEW), key: inVersions(OLD, { ...NEW, enabled: false }) }),
      ],
      [
        'the newer version is not active yet',
        subject({ use: pinned(OLD), key: inVersions(OLD, { ...NEW, notBefore: tomorrow }) }),
      ],
      ['the key is revoked', subject({ use: pinned(OLD), key: inVersions(revoked(100), revoked(10)) })],
      ['Microsoft-managed', subject({ use: undefined, key: undefined })],
    ],
    unread: [['its key', unreadKeyOf(pinned(OLD))]],
  },
  LaggingAutomaticVersion: {
    found: [['behind for more than a day', subject({ use: use({ current: OLD.version }) }), /0+100/]],
    right: [
      ['on the newest version', subject({ use: use() })],
      ['behind for less than a day', subject({ use: use({ current: OLD.version }), key: inVersions(OLD, fresh) })],
      [
        'the newer version became active less than a day ago',
        subject({
          use: use({ current: OLD.version }),
          key: inVersions(OLD, { ...NEW, notBefore: new Date(NOW.getTime() - DAYS / 2) }),
        }),
      ],
      ['Azure does not tell its version', subject({ use: use({ current: undefined }) })],
      ['pinned', subject({ use: pinned(OLD) })],
    ],
    unread: [['its key', unreadKeyOf(use({ current: OLD.version }))]],
  },
  ScopeStaleKeyVersion: {
    found: [
      ['a pinned scope behind', subject({ scopes: [scope(pinned(OLD))] }), /0+100/],
      [
        'an automatic scope behind for more than a day',
        subject({ scopes: [scope(use({ current: OLD.version }))] }),
        /0+100/,
      ],
    ],
    right: [
      ['no scope', subject()],
      ['a scope on the newest version', subject({ scopes: [scope(pinned(NEW))] })],
      ['a scope on a key of another vault', subject({ scopes: [scope(other, { key: undefined })] })],
    ],
    unread: [['its key', subject({ scopes: [scope(pinned(OLD), { key: keyUnread })] })]],
  },
  NotCustomerManaged: {
    found: [
      [
        'tagged with a key',
        subject({ account: account({ tags: { 'CMK-Key': 'kv-files/files-key' } }), use: undefined, key: undefined }),
        /Microsoft-managed/,
      ],
      [
        'required of all',
        subject({ use: undefined, key: undefined }),
        /Microsoft-managed/,
        rules({ require: [{ kind: 'all' }] }),
      ],
      [
        'required by a tag',
        subject({ account: account({ tags: { 'data-class': 'secret' } }), use: undefined, key: undefined }),
        /Microsoft-managed/,
        rules({ require: [{ kind: 'tag', name: 'Data-Class', value: 'secret' }] }),
      ],
      [
        'required of its resource group',
        subject({ use: undefined, key: undefined }),
        /Microsoft-managed/,
        rules({ require: [{ kind: 'scope', scope: account().id.split('/').slice(0, 5).join('/').toUpperCase() }] }),
      ],
    ],
    right: [
      ['customer-managed', subject(), rules({ require: [{ kind: 'all' }] })],
      ['nobody asks for it', subject({ use: undefined, key: undefined })],
      [
        'another value of the tag',
        subject({ account: account({ tags: { 'data-class': 'public' } }), use: undefined }),
        rules({ require: [{ kind: 'tag', name: 'data-class', value: 'secret' }] }),
      ],
      [
        'a resource group whose name begins the same',
        subject({ use: undefined }),
        rules({ require: [{ kind: 'scope', scope: account().id.split('/').slice(0, 5).join('/').slice(0, -1) }] }),
      ],
    ],
    unread: [['its key', subject({ key: keyUnread })]],
  },
  UnexpectedKey: {
    found: [
      ['another key', subject({ account: account({ tags: { 'cmk-key': 'kv-files/other-key' } }) }), /files-key/],
      ['another vault', subject({ account: account({ tags: { 'cmk-key': 'kv-other/files-key' } }) }), /kv-files/],
      ['a tag that names no key', subject({ account: account({ tags: { 'cmk-key': '???' } }) }), /kv-files/],
      [
        'another key, tagged by its identifier',
        subject({ account: account({ tags: { 'cmk-key': 'https://kv-other.vault.azure.net/keys/files-key' } }) }),
        /kv-files/,
      ],
    ],
    right: [
      ['the key of its tag', subject({ account: account({ tags: { 'cmk-key': 'KV-FILES/Files-Key' } }) })],
      [
        'the key of its tag, with blanks',
        subject({ account: account({ tags: { 'cmk-key': ' kv-files/files-key ' } }) }),
      ],
      [
        'the key of its tag, by its identifier',
        subject({ account: account({ tags: { 'cmk-key': 'https://kv-files.vault.azure.net/keys/files-key' } }) }),
      ],
      ['no tag', subject()],
    ],
    unread: [['its key', subject({ key: keyUnread })]],
  },
  UnmanagedVault: {
    found: [
      ['the account', subject({ use: other, key: undefined }), /kv-other/],
      ['a scope', subject({ scopes: [scope(other, { key: undefined })] }), /kv-other/],
    ],
    right: [
      ['a managed vault', subject({ scopes: [scope(pinned(NEW))] })],
      ['Microsoft-managed', subject({ use: undefined, key: undefined })],
    ],
    unread: [['its key', subject({ key: keyUnread })]],
  },
  KeyDisabled: {
    found: [
      [
        'pinned to a disabled version',
        subject({ use: pinned(OLD), key: inVersions({ ...OLD, enabled: false }, NEW) }),
        /0+100, is disabled/,
      ],
      [
        'automatic on a disabled version',
        subject({ use: use({ current: OLD.version }), key: inVersions({ ...OLD, enabled: false }, NEW) }),
        /disabled/,
      ],
      ['revoked', subject({ use: pinned(NEW), key: inVersions(revoked(100), revoked(10)) }), /by the revocation of/],
      [
        'a scope',
        subject({ scopes: [scope(pinned(OLD), { key: inVersions({ ...OLD, enabled: false }, NEW) })] }),
        /disabled/,
      ],
    ],
    right: [
      ['enabled', subject()],
      [
        'only a version that it does not use is disabled',
        subject({ key: inVersions({ ...OLD, enabled: false }, NEW) }),
      ],
    ],
    unread: [['its key', unreadKeyOf(pinned(OLD))]],
  },
  KeyExpired: {
    found: [
      [
        'expired',
        subject({ use: pinned(OLD), key: inVersions({ ...OLD, expiresOn: new Date(NOW.getTime() - DAYS) }, NEW) }),
        /expired on/,
      ],
    ],
    right: [
      ['not expired', subject()],
      [
        'disabled counts more than expired',
        subject({ use: pinned(OLD), key: inVersions({ ...OLD, enabled: false, expiresOn: new Date(0) }, NEW) }),
      ],
    ],
    unread: [['its key', unreadKeyOf(pinned(OLD))]],
  },
  KeyDeleted: {
    found: [
      ['soft-deleted', subject({ key: key({ state: 'deleted', versions: { value: [] } }) }), /soft-deleted/],
      [
        'never there',
        subject({ key: key({ state: 'absent', versions: { value: [] } }) }),
        /no key .* not even soft-deleted/,
      ],
      [
        'gone, and nobody can tell where',
        subject({ key: key({ state: 'gone', versions: { value: [] } }) }),
        /no key .* whether it is soft-deleted could not be read/,
      ],
      ['with its vault', subject({ key: key({ state: 'vaultGone', versions: { value: [] } }) }), /vault .* is gone/],
      ['of a scope', subject({ scopes: [scope(use(), { key: key({ state: 'deleted' }) })] }), /soft-deleted/],
    ],
    right: [['there', subject()]],
    unread: [['its key', unreadKeyOf(pinned(OLD))]],
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
    unread: [['its access', subject({ access: accessUnread })]],
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
    unread: [['the identity', subject({ access: accessUnread })]],
  },
  IdentityWithoutRole: {
    found: [
      ['no role', subject({ access: lacks('IdentityWithoutRole') }), /IdentityWithoutRole of this test/],
      ['no role on the key of a scope', scopeOnly(lacks('IdentityWithoutRole')), /IdentityWithoutRole of this test/],
    ],
    right: [['has its role', subject()]],
    unread: [['its access', subject({ access: accessUnread })]],
  },
};

const keys: Record<string, Cases<KeySubject>> = {
  KeyTooOld: {
    found: [
      ['two years and a day', inVersions(version(731)), /731 days/],
      ['as set', inVersions(version(91)), /91 days/, rules({ keyMaxAgeDays: 90 })],
    ],
    right: [
      ['two years', inVersions(version(730))],
      ['only an older version is', inVersions(version(900), NEW)],
      ['revoked', inVersions(revoked(900))],
      ['switched off', inVersions(version(900, { enabled: false }))],
      ['no key', inVersions()],
    ],
    unread: [['its versions', keyUnread]],
  },
  NearExpiry: {
    found: [
      ['in 30 days', inVersions(version(10, { expiresOn: new Date(NOW.getTime() + 30 * DAYS) })), /expires on/],
      ['over', inVersions(version(10, { expiresOn: new Date(NOW.getTime() - DAYS) })), /expired on/],
      ['its policy should have rotated it two days ago', rotating(5, 'P7D'), /was to rotate it on 2026-05-30/],
      [
        'imported, whatever its policy says',
        rotating(20, 'P7D', undefined, { 'cmk-origin': 'imported' }),
        /expires on/,
      ],
      ['its policy rotates, nobody knows when', rotating(20, undefined), /expires on/],
      ['its policy would rotate it after its expiry', rotating(9, undefined, 'P1Y'), /expires on/],
    ],
    right: [
      ['in 31 days', inVersions(version(10, { expiresOn: new Date(NOW.getTime() + 31 * DAYS) }))],
      ['never', inVersions(version(10, { expiresOn: undefined }))],
      ['only an older version does', inVersions(version(100, { expiresOn: tomorrow }), NEW)],
      ['its policy rotates it in two days', rotating(9, 'P7D')],
      ['its policy rotates it about now', rotating(6.5, 'P7D')],
    ],
    unread: [['its versions', keyUnread]],
  },
  NoExpiry: {
    found: [['none', inVersions(version(10, { expiresOn: undefined })), /never expires/]],
    right: [
      ['expires', key()],
      ['only an older version does not', inVersions(version(100, { expiresOn: undefined }), NEW)],
    ],
    unread: [['its versions', keyUnread]],
  },
  NoRotationPolicy: {
    found: [['none', key({ policy: { value: { rotates: false } } }), /Nothing rotates/]],
    right: [
      ['rotates', key()],
      [
        'by hand on purpose',
        { ...inVersions(version(1, { tags: { 'cmk-rotation': 'manual' } })), policy: { value: { rotates: false } } },
      ],
      [
        'imported',
        { ...inVersions(version(1, { tags: { 'cmk-origin': 'imported' } })), policy: { value: { rotates: false } } },
      ],
      ['no key', { ...inVersions(), policy: { value: { rotates: false } } }],
    ],
    unread: [['its policy', key({ policy: UNREAD })]],
  },
  UnsupportedKey: {
    found: [
      ['an elliptic curve', key({ material: { value: { type: 'EC', size: undefined } } }), /It is EC/],
      ['an odd size', key({ material: { value: { type: 'RSA', size: 1024 } } }), /RSA of 1024 bits/],
    ],
    right: [
      ...[2048, 3072, 4096].map(
        (size) => [`RSA ${size}`, key({ material: { value: { type: 'RSA', size } } })] as const,
      ),
      ['RSA-HSM', key({ material: { value: { type: 'RSA-HSM', size: 2048 } } })],
      ['not shown', key({ material: { value: undefined } })],
    ],
    unread: [['its type', key({ material: UNREAD })]],
  },
  RevocationOpen: {
    found: [['revoked', inVersions(revoked(100), revoked(10)), /by somebody/]],
    right: [
      ['in use', key()],
      ['disabled by hand', inVersions(version(10, { enabled: false }))],
    ],
    unread: [['its versions', keyUnread]],
  },
  RevokedVersionEnabled: {
    found: [
      ['enabled by hand', inVersions(revoked(100), revoked(10, { enabled: true })), /somebody enabled it again/],
      ['appeared since', inVersions(revoked(100), version(0.5)), /although the key is revoked/],
    ],
    right: [
      ['all off', inVersions(revoked(100), revoked(10))],
      ['not revoked', key()],
    ],
    unread: [['its versions', keyUnread]],
  },
  RetirableVersion: {
    found: [
      ['unused since the successor', key({}, [{ pinned: NEW.version }]), /no account that was looked at uses it/],
    ],
    right: [
      ['still pinned', key({}, [{ pinned: OLD.version }])],
      ['still in use', key({}, [{ current: OLD.version }])],
      ['an account does not tell', key({}, [{ current: undefined }])],
      ['the successor is younger than a day', inVersions(OLD, fresh)],
      ['the successor is younger than is set', key(), rules({ retireAfterHours: 24 * 11 })],
      ['revoked', inVersions(revoked(100), version(10))],
      ['disabled', inVersions({ ...OLD, enabled: false }, NEW)],
    ],
    unread: [
      ['its versions', keyUnread],
      ['some account that may use it', usersUnread],
    ],
  },
  PinnedVersion: {
    found: [
      ['one', key({}, [{ pinned: NEW.version }]), /One account or scope is pinned to a version: st0\./],
      [
        'five',
        key(
          {},
          Array.from({ length: 5 }, () => ({ pinned: NEW.version })),
        ),
        /5 accounts and scopes .* st0, st1, st2 and 2 more/,
      ],
    ],
    right: [
      ['automatic', key({}, [{}])],
      ['nobody', key()],
    ],
    unread: [['its versions', keyUnread]],
  },
};

const deadLetter = {
  source: VAULT.id,
  type: 'Microsoft.KeyVault.KeyNearExpiry',
  reason: 'MaxDeliveryAttemptsExceeded',
  lastOutcome: 'NotFound',
  writtenOn: NOW,
};
const vaultUnread = vault({ properties: UNREAD, events: UNREAD, deadLetters: UNREAD });
const changed = (change: object) =>
  vault({
    events: eventSubscriptions((state) => (state.name.endsWith('keyExpired') ? { ...state, ...change } : state)),
  });

const vaults: Record<string, Cases<VaultSubject>> = {
  VaultNotFound: {
    found: [['gone', vault({ properties: { value: undefined } }), /no such vault/]],
    right: [['there', vault()]],
    unread: [['the vault', vaultUnread]],
  },
  PurgeProtectionOff: {
    found: [['off', vault({ properties: vaultProperties({ purgeProtection: false }) }), /no purge protection/]],
    right: [['on', vault()]],
    unread: [['the vault', vaultUnread]],
  },
  SoftDeleteOff: {
    found: [['off', vault({ properties: vaultProperties({ softDelete: false }) }), /no soft delete/]],
    right: [['on', vault()]],
    unread: [['the vault', vaultUnread]],
  },
  EventSubscriptionMissing: {
    found: [
      [
        'gone',
        vault({ events: eventSubscriptions((state) => (state.name.endsWith('keyExpired') ? undefined : state)) }),
        /No event subscription delivers Microsoft.KeyVault.KeyExpired/,
      ],
    ],
    right: [
      ['all three', vault()],
      ['on the system topic', vault({ events: eventSubscriptions((state) => ({ ...state, place: 'systemTopic' })) })],
      ['not checked', vault({ events: undefined })],
      [
        'the function app is not known',
        vault({ events: eventSubscriptions(() => undefined) }),
        { ...rules(), wantedSubscriptions: undefined },
      ],
    ],
    unread: [['the event subscriptions', vaultUnread]],
  },
  EventSubscriptionMisaimed: {
    found: [
      [
        'another function app',
        changed({ functionId: `${VAULT.id}/functions/keyExpired` }),
        /It delivers to .*kv-files/,
      ],
      ['a webhook', changed({ functionId: undefined, endpointType: 'WebHook' }), /delivers to WebHook/],
      ['another type', changed({ eventTypes: ['Microsoft.KeyVault.SecretExpired'] }), /SecretExpired, not/],
      ['every type', changed({ eventTypes: [] }), /every event type/],
      ['the other schema', changed({ schema: 'EventGridSchema' }), /EventGridSchema/],
      ['a narrowed filter', changed({ narrowed: true }), /only some keys/],
      ['no dead letters', changed({ deadLetter: undefined }), /goes nowhere/],
      [
        'dead letters elsewhere',
        changed({ deadLetter: { storageAccountId: VAULT.id, container: 'x' } }),
        /kv-files\/x/,
      ],
      ['few tries', changed({ maxDeliveryAttempts: 3 }), /gives up after 3 tries/],
      ['a short time', changed({ timeToLiveMinutes: 5 }), /5 minutes/],
      ['an end', changed({ expiresOn: tomorrow }), /expires on/],
      ['not provisioned', changed({ provisioningState: 'Failed' }), /Failed/],
    ],
    right: [
      ['as wanted', vault()],
      [
        'letter case of types and schema',
        changed({ eventTypes: ['microsoft.keyvault.keyexpired'], schema: 'cloudeventschemav1_0' }),
      ],
      ['being made', changed({ provisioningState: 'Creating' })],
    ],
    unread: [['the event subscriptions', vaultUnread]],
  },
  EventDeliveryFailing: {
    found: [
      [
        'one',
        vault({ deadLetters: { value: [deadLetter] } }),
        /An event .*KeyNearExpiry \(MaxDeliveryAttemptsExceeded/,
      ],
      ['two', vault({ deadLetters: { value: [deadLetter, deadLetter] } }), /2 events/],
    ],
    right: [['none', vault()]],
    unread: [['the dead letters', vaultUnread]],
  },
};

const apps: Record<string, Cases<AppSubject>> = {
  SelfLockout: {
    found: [['its own storage', app({ lockedOutBy: [{ account: account().id, key: 'k' }] }), /own storage uses k/]],
    right: [['no', app()]],
    unread: [['the accounts', app({ unread: [unreadPart] })]],
  },
  PoisonMessages: {
    found: [
      ['one', poisoned(1), /a message/],
      ['some', poisoned(7), /about 7 messages/],
    ],
    right: [['none', poisoned(0)]],
    unread: [['the queues', app({ poison: UNREAD })]],
  },
  MissingPermission: {
    found: [
      ['a refusal', app({ unread: [unreadPart, unreadPart] }), /may not read the vault/],
      ['a firewall', app({ unread: [closedOff] }), /Client address is not authorized/],
    ],
    right: [
      ['none', app()],
      ['other trouble', app({ unread: [{ ...unreadPart, kind: 'throttled' }] })],
    ],
    unread: [['other trouble', app({ unread: [{ ...unreadPart, kind: 'unavailable' }] })]],
  },
  SettingsInvalid: {
    found: [['a problem', app({ settingsProblems: ['CMK_AUTOFIX names something'] }), /CMK_AUTOFIX/]],
    right: [['none', app()]],
    unread: [['anything', app({ unread: [unreadPart] })]],
  },
  Unreadable: {
    found: [['anything', app({ unread: [unreadPart] }), /Not read: the vault/]],
    right: [['nothing', app()]],
    unread: [],
  },
};

const of = <S>(checks: readonly Check<S>[], cases: Record<string, Cases<S>>, resource: string) =>
  checks.map((check) => ({ check, cases: cases[check.reason], resource }) as unknown as Row);
interface Row {
  readonly check: Check<unknown>;
  readonly cases: Cases<unknown>;
  readonly resource: string;
}
const rows: readonly Row[] = [
  ...of(ACCOUNT_CHECKS, accounts, account().id),
  ...of(KEY_CHECKS, keys, key().key.id),
  ...of(VAULT_CHECKS, vaults, VAULT.id),
  ...of(APP_CHECKS, apps, app().name),
];

describe.each(rows)('$check.reason', ({ check, cases, resource }) => {
  const { reason } = check;
  const found = cases.found.map(([name, of, is, by = rules()]) => ({ name, of, is, by }));
  const right = cases.right.map(([name, of, by = rules()]) => ({ name, of, by }));
  const unread = cases.unread.map(([name, of]) => ({ name, of }));

  it.each(found)('finds: $name', ({ of, is, by }) => {
    const findings = evaluate([check], of, resource, by);
    expect(findings.length).toBeGreaterThan(0);
    for (const finding of findings) {
      expect(finding).toMatchObject({ reason });
      expect(finding.fix).toEqual(
        reason === 'RetirableVersion' ? expect.stringMatching(/ --version \S+ --without-evidence$/) : check.fix,
      );
      expect(finding.exemption).toBeUndefined();
      expect(finding.is).toMatch(is);
      expect(finding.shouldBe).toMatch(/\.$/);
    }
  });

  it.each(right)('has nothing against: $name', ({ of, by }) => {
    expect(evaluate([check], of, resource, by)).toEqual([]);
  });

  it.each(unread)('says nothing of what could not be read: $name', ({ of }) => {
    expect(evaluate([check], of, resource, rules())).toEqual([]);
  });

  it.each(found)('is accepted by an exemption, and by none that is over or for something else: $name', ({ of, by }) => {
    const findings = evaluate([check], of, resource, by);
    const exempt = (change: object) =>
      evaluate([check], of, resource, {
        ...by,
        drift: {
          ...by.drift,
          exemptions: [{ resource: '*', code: reason, reason: 'CHG-1', until: '2026-06-01', ...change }],
        },
      }).map(({ exemption }) => exemption);
    expect(exempt({})).toEqual(findings.map(() => ({ reason: 'CHG-1', until: '2026-06-01' })));
    for (const change of [{ until: '2026-05-31' }, { code: 'Poisoned' }, { resource: '/elsewhere' }]) {
      expect(exempt(change)).toEqual(findings.map(() => undefined));
    }
  });
});

describe('the tables of checks', () => {
  it('have each reason once, with a sentence that it makes sure of and what to do', () => {
    const reasons = ALL_CHECKS.map(({ reason }) => reason);
    expect(new Set(reasons).size).toBe(reasons.length);
    for (const { reason, ensures, fix } of ALL_CHECKS) {
      expect(REASONS[reason]).toBeDefined();
      expect(ensures).toMatch(/^[A-Z].*[.)]$/);
      expect(fix).toMatch(/^[A-Z].*\.$/);
    }
  });

  it.each([
    ['NearExpiry', inVersions(version(10, { expiresOn: new Date(NOW.getTime() + 10.1 * DAYS) })), 'warning'],
    ['NearExpiry', inVersions(version(10, { expiresOn: new Date(NOW.getTime() + 10 * DAYS) })), 'error'],
  ] as const)('%s gets worse as the day comes closer', (reason, subject, severity) => {
    const check = KEY_CHECKS.filter((one) => one.reason === reason);
    expect(evaluate(check, subject, 'key', rules())).toMatchObject([{ severity }]);
  });

  const severitiesOf = (subject: AccountSubject, by: Rules = rules()) =>
    evaluate(ACCOUNT_CHECKS, subject, account().id, by).map(({ reason, severity }) => `${reason} ${severity}`);

  it.each([
    ['a minute after', 1, 'advice'],
    ['59 minutes after', 59, 'advice'],
    ['61 minutes after', 61, 'error'],
  ])('an account that has not followed yet is %s a rotation: %i, %s', (_, minutes, severity) => {
    const newer = version(minutes / 24 / 60);
    const behind = { use: pinned(OLD), key: inVersions(OLD, newer) };
    expect(severitiesOf(subject(behind))).toEqual([`StaleKeyVersion ${severity}`]);
    const scopes = [scope(behind.use, { key: behind.key })];
    expect(severitiesOf(subject({ use: undefined, key: undefined, scopes }))) //
      .toEqual([`ScopeStaleKeyVersion ${severity}`]);
    const [finding] = evaluate(ACCOUNT_CHECKS, subject(behind), account().id, rules());
    // It is put to work all the same: the event may have been lost.
    expect(finding?.canFix).toBe(true);
    if (severity === 'advice') expect(finding?.is).toMatch(new RegExp(`usable ${minutes} minutes? ago`));
  });

  it('an account that has not followed a version that became active a moment ago is not an error either', () => {
    const newer = { ...NEW, notBefore: new Date(NOW.getTime() - 60_000) };
    expect(severitiesOf(subject({ use: pinned(OLD), key: inVersions(OLD, newer) }))).toEqual([
      'StaleKeyVersion advice',
    ]);
  });

  it('an automatic scope that lags is as bad as an account that does', () => {
    const lagging = subject({
      use: use({ current: OLD.version }),
      scopes: [scope(use({ current: OLD.version }))],
    });
    expect(severitiesOf(lagging)).toEqual(['LaggingAutomaticVersion warning', 'ScopeStaleKeyVersion warning']);
  });

  it('what lags is not said to be mended where Storage is not asked to look again', () => {
    const lagging = subject({ use: use({ current: OLD.version }), scopes: [scope(use({ current: OLD.version }))] });
    const of = (by: Rules) => evaluate(ACCOUNT_CHECKS, lagging, account().id, by).map(({ canFix }) => canFix);
    expect(of(rules())).toEqual([true, true]);
    expect(of({ ...rules(), refreshAutomatic: false })).toEqual([false, false]);
  });

  it("the app's own storage is not told to use a key that would lock the app out", () => {
    const own = { own: true, use: undefined, key: undefined, access: undefined };
    const required = rules({ require: [{ kind: 'all' }] });
    const [finding] = evaluate(ACCOUNT_CHECKS, subject(own), account().id, required);
    expect(finding).toMatchObject({ reason: 'NotCustomerManaged' });
    expect(finding?.shouldBe).toContain('of a vault that the app does not manage');
    expect(severitiesOf(subject({ ...own, use: other }))).toEqual([]);
  });

  it('who is kept out by the network is not told to give a role', () => {
    const check = APP_CHECKS.filter(({ reason }) => reason === 'MissingPermission');
    const of = (part: typeof unreadPart) => evaluate(check, app({ unread: [part] }), 'a', rules())[0]?.shouldBe;
    expect(of(unreadPart)).toContain('Microsoft.KeyVault/vaults/read');
    expect(of(closedOff)).toBe('The network rules let the app in.');
  });

  it.each([
    ['throttled', 'warning'],
    ['unavailable', 'warning'],
    ['timeUp', 'warning'],
    ['forbidden', 'error'],
    ['refused', 'error'],
    ['unexpected', 'error'],
  ] as const)('what was not read, %s, is at first: %s', (kind, severity) => {
    const check = APP_CHECKS.filter(({ reason }) => reason === 'Unreadable');
    const subject = app({ unread: [{ ...unreadPart, kind }] });
    expect(evaluate(check, subject, 'a', rules())).toMatchObject([{ severity }]);
  });

  it('a disabled key is a warning while it is revoked, since that is meant', () => {
    const check = ACCOUNT_CHECKS.filter(({ reason }) => reason === 'KeyDisabled');
    const revokedKey = subject({ key: inVersions(revoked(100), revoked(10)) });
    expect(evaluate(check, revokedKey, 'a', rules())).toMatchObject([{ severity: 'warning' }]);
  });

  it('an identity is missed once, however many of its scopes need it, and a role at each of them', () => {
    const both = (reason: 'IdentityMissing' | 'IdentityDeleted' | 'IdentityWithoutRole') =>
      evaluate(
        ACCOUNT_CHECKS,
        subject({ access: lacks(reason), scopes: [scope(pinned(NEW), { access: lacks(reason) })] }),
        account().id,
        rules(),
      ).map(({ resource }) => resource);
    expect(both('IdentityMissing')).toEqual([account().id]);
    expect(both('IdentityDeleted')).toEqual([account().id]);
    expect(both('IdentityWithoutRole')).toEqual([account().id, `${account().id}/encryptionScopes/scope1`]);
  });

  it('NearExpiry is mended only where a rotation is in order', () => {
    const near = version(20, { expiresOn: tomorrow });
    const check = KEY_CHECKS.filter(({ reason }) => reason === 'NearExpiry');
    const can = (subject: KeySubject) => evaluate(check, subject, 'k', rules()).map(({ canFix }) => canFix);
    const byHand = { policy: { value: { rotates: false } } };
    expect(can({ ...inVersions(near), ...byHand })).toEqual([true]);
    expect(can(inVersions(near))).toEqual([false]); // its own policy rotates it
    expect(can({ ...inVersions({ ...near, tags: { 'cmk-origin': 'imported' } }), ...byHand })).toEqual([false]);
  });
});
