import { describe, expect, it } from 'vitest';
import { KEY_CHECKS } from '../../../src/drift/checks/checks.ts';
import { evaluate } from '../../../src/drift/checks/evaluate.ts';
import type { KeySubject } from '../../../src/drift/checks/subjects.ts';
import { createCauseId } from '../../../src/drift/report/finding-ids.ts';
import { REASONS } from '../../../src/errors/reasons.ts';
import type { RolloutRow } from '../../../src/index/rollout-row.ts';
import type { KeyVersion } from '../../../src/keys/key-versions.ts';
import { KEY_RULES, type KeyRule } from '../../../src/vaults/key-policies.ts';
import { type Cases, describeChecks } from './describe-checks.ts';
import {
  asked,
  DAYS,
  fresh,
  inVersions,
  key,
  keyUnread,
  logged,
  NEW,
  NOW,
  OLD,
  revoked,
  rotating,
  rules,
  tomorrow,
  UNREAD,
  usersUnread,
  VAULT,
  version,
} from './subjects.ts';

const KEY_ID = 'https://kv-files.vault.azure.net/keys/files-key';
/** A version made an hour ago that never expires. */
const endless = (change: Partial<KeyVersion> = {}) => version(1 / 24, { expiresOn: undefined, ...change });
const { usage: used } = key({}, [{ pinned: NEW.version }]);

const rollout = (change: Partial<RolloutRow> = {}): RolloutRow => ({
  target: NEW.id,
  stage: 'rest',
  canaries: [],
  proven: true,
  unfinished: 4,
  failed: 2,
  progressOn: NOW.toISOString(),
  checkedOn: NOW.toISOString(),
  lastNews: 'RotationStuck',
  ...change,
});
/** A key whose older version a client used an hour ago. */
const inUse = (change: Partial<KeySubject> = {}) => key({ evidence: logged([asked(OLD, 1)]), ...change });
const BY_HAND = { policy: { value: { rotates: false } } };
const operations = (allowed: readonly string[] | undefined) =>
  key({ material: { value: { type: 'RSA', size: 2048, operations: allowed } } });

const { expiry, remaining, validity, size, types, hardware } = KEY_RULES;
const OURS =
  '/subscriptions/11111111-1111-1111-1111-111111111111/providers/Microsoft.Authorization/policyAssignments/ours';
/** A key of a vault with these rules of Azure Policy, with a rotation policy. */
const denied = (
  denials: readonly KeyRule[],
  change: Partial<KeySubject> = {},
  policy: object = { expiresIn: 'P60D' },
) =>
  key({
    denials: denials.map((rule) => ({ assignment: { id: OURS, name: 'Ours' }, reference: undefined, rule })),
    policy: { value: { rotates: true, ...policy } },
    ...change,
  });
const material = (value: object) => ({ material: { value: { type: 'RSA', size: 2048, ...value } } });

const SQL_SUBSCRIPTION = '5ab50000-0000-4000-8000-000000000001';
const other = (named: readonly (KeyVersion | undefined)[], path = 'keyId', type = 'microsoft.sql/servers') => ({
  id: `/subscriptions/${SQL_SUBSCRIPTION}/resourceGroups/rg-sql/providers/${type}/sql-files`,
  name: 'sql-files',
  type,
  region: 'westeurope',
  subscriptionId: '5ab50000-0000-4000-8000-000000000001',
  uses: named.map((one) => ({ path, version: one?.version })),
  known: true,
});
const DES = 'microsoft.compute/diskencryptionsets';
const POSTGRES = 'microsoft.dbforpostgresql/flexibleservers';
const MYSQL = 'microsoft.dbformysql/flexibleservers';
const STORE = 'microsoft.appconfiguration/configurationstores';
const near = version(100, { expiresOn: tomorrow });
/** A key whose older version expires, tomorrow by default, with a resource of that type on it. */
const held = (type: string, days = 1): KeySubject => ({
  ...inVersions({ ...near, expiresOn: new Date(NOW.getTime() + days * DAYS) }, NEW),
  others: [other([near], 'url', type)],
});
/** A key whose only version, ten days old, expires in so many days. */
const expiring = (days: number) => inVersions(version(10, { expiresOn: new Date(NOW.getTime() + days * DAYS) }));
/** A key that expires in 25 days, with a resource of that type that names no version. */
const follows = (type: string): KeySubject => ({
  ...expiring(25),
  others: [other([undefined], 'url', type)],
});

/** Made in the same second as the newest. */
const TWIN: KeyVersion = { ...OLD, createdOn: NEW.createdOn };
/** A key with three versions, of which a server names these. */
const naming = (...named: readonly (KeyVersion | undefined)[]) =>
  key({ versions: { value: [OLD, version(50), NEW] }, others: [other(named)] });

const keys: Record<string, Cases<KeySubject>> = {
  KeyTooOld: {
    found: [['two years and a day', inVersions(version(731)), /731 days/]],
    right: [
      ['two years', inVersions(version(730))],
      ['only an older version is', inVersions(version(900), NEW)],
      ['revoked', inVersions(revoked(900))],
      ['switched off', inVersions(version(900, { enabled: false }))],
      ['no key', inVersions()],
    ],
  },
  NearExpiry: {
    found: [
      ['an older version that virtual machines are held at', held(DES), /which stops .*disk encryption set sql-files/],
      ['an older one that expired', held(DES, -1), /^It expired on .*, which stops/],
      [
        'a newest one that seven stores follow',
        { ...follows(STORE), others: Array.from({ length: 7 }, () => other([undefined], 'url', STORE)) },
        /store sql-files and 2 more\.$/,
      ],
      ['a newest one that PostgreSQL follows', follows(POSTGRES), /That stops the PostgreSQL server sql-files\./],
      ['in 30 days', expiring(30), /expires on/],
      ['over', expiring(-1), /expired on/],
      ['its policy should have rotated it two days ago', rotating(5, 'P7D'), /should have rotated it on 2026-05-30/],
      ['imported, whatever its policy', rotating(20, 'P7D', undefined, { 'cmk-origin': 'imported' }), /expires on/],
      ['its policy rotates at an unknown time', rotating(20, undefined), /expires on/],
      ['its policy would rotate it after its expiry', rotating(9, undefined, 'P1Y'), /expires on/],
    ],
    right: [
      ['a version that expires soon, and that nothing which an expiry stops is held at', held('microsoft.sql/servers')],
      ['in 31 days', expiring(31)],
      ['never', inVersions(version(10, { expiresOn: undefined }))],
      ['only an older version does', inVersions(version(100, { expiresOn: tomorrow }), NEW)],
      ['its policy rotates it in two days', rotating(9, 'P7D')],
      ['its policy rotates it about now', rotating(6.5, 'P7D')],
    ],
  },
  NoExpiry: {
    found: [['none', inVersions(version(10, { expiresOn: undefined })), /never expires/]],
    right: [
      ['expires', key()],
      ['a MySQL server uses it', { ...inVersions(endless()), others: [other([undefined], 'keyURI', MYSQL)] }],
      ['only an older version does not', inVersions(version(100, { expiresOn: undefined }), NEW)],
    ],
  },
  RotationIncomplete: {
    found: [
      ['an hour after the rotation', inVersions(version(100, { expiresOn: tomorrow }), endless()), /never expires/],
    ],
    right: [
      ['both expire', inVersions(version(100, { expiresOn: tomorrow }), NEW)],
      ['neither did before', inVersions(version(100, { expiresOn: undefined }), endless())],
      ['for more than a day', inVersions(version(100, { expiresOn: tomorrow }), version(2, { expiresOn: undefined }))],
      [
        'MySQL uses it, for which a key without expiry is recommended',
        key({
          versions: { value: [version(100, { expiresOn: tomorrow }), endless()] },
          others: [other([NEW], 'primaryKeyURI', MYSQL)],
        }),
      ],
    ],
  },
  RotationStuck: {
    found: [
      ['nothing moves', key({ rollout: rollout() }), /not yet on version 0+10: 4; 2 of them failed\./],
      [
        'a canary',
        key({ rollout: rollout({ lastNews: 'CanaryFailed', failing: 'st1 (refuses)' }) }),
        /st1 \(refuses\)$/,
      ],
      ['a wave failed', key({ rollout: rollout({ lastNews: 'WaveFailed' }) }), new RegExp(`${REASONS.WaveFailed}$`)],
    ],
    right: [
      ['not known', key()],
      ['it goes on', key({ rollout: rollout({ lastNews: undefined }) })],
      ['it is finished', key({ rollout: rollout({ lastNews: 'RotationFinished', unfinished: 0 }) })],
      ['it is of an older version', key({ rollout: rollout({ target: OLD.id }) })],
    ],
  },
  NoRotationPolicy: {
    found: [['none', key(BY_HAND), /No rotation policy rotates/]],
    right: [
      ['rotates', key()],
      ['by hand on purpose', { ...inVersions(version(1, { tags: { 'cmk-rotation': 'manual' } })), ...BY_HAND }],
      ['imported', { ...inVersions(version(1, { tags: { 'cmk-origin': 'imported' } })), ...BY_HAND }],
      ['no key', { ...inVersions(), policy: { value: { rotates: false } } }],
    ],
  },
  KeyTooSmall: {
    found: [['smaller than asked for', key(material({})), /It has 2048 bits/, rules({ keyMinBits: 3072 })]],
    right: [
      ['as large as asked for', key(material({ size: 3072 })), rules({ keyMinBits: 3072 })],
      ['no size is asked for', key(material({}))],
      ['an elliptic curve', key(material({ type: 'EC', size: undefined })), rules({ keyMinBits: 3072 })],
    ],
  },
  KeyNotInHsm: {
    found: [['in software', key(material({})), /It is RSA, in software/, rules({ requireHsm: true })]],
    right: [
      ['in hardware', key(material({ type: 'RSA-HSM' })), rules({ requireHsm: true })],
      ['no policy requires hardware', key(material({}))],
    ],
  },
  UnsupportedKey: {
    found: [
      ['an elliptic curve', key(material({ type: 'EC', size: undefined })), /It is EC/],
      ['an odd size', key(material({ size: 1024 })), /RSA of 1024 bits/],
    ],
    right: [
      ...[2048, 3072, 4096].map((size) => [`RSA ${size}`, key(material({ size }))] as const),
      ['RSA-HSM', key(material({ type: 'RSA-HSM' }))],
      ['not shown', key({ material: { value: undefined } })],
    ],
  },
  KeyOperationsMissing: {
    found: [
      ['both', operations(['sign', 'verify']), /does not allow wrapKey and unwrapKey\./],
      ['one', operations(['wrapKey']), /does not allow unwrapKey\./],
    ],
    right: [
      ['both are there', operations(['encrypt', 'WrapKey', 'unwrapkey'])],
      ['not told', operations(undefined)],
      ['its versions could not be read', { ...operations([]), versions: UNREAD }],
      [
        'no version',
        key({ versions: { value: [] }, material: { value: { type: 'RSA', size: 2048, operations: [] } } }),
      ],
    ],
  },
  PolicyBlocksRotation: {
    found: [
      ['no expiry', denied([expiry()], {}, {}), /"Ours" denies keys without an expiry, .* would never expire: /],
      ['early', denied([remaining(60)]), /within 60 days \(minimumDaysBeforeExpiration\), .* after 60 days \(P60D /],
      ['a late expiry', denied([validity(59)]), /more than 59 days \(maximumValidityInDays\), .* 60 days/],
      ['no expiry, where it may not be late', denied([validity(59)], {}, {}), /would never expire/],
      ['a small key', denied([size(3072)], material({})), /fewer than 3072 bits .*RSA of 2048 bits, like/],
      [
        'a type',
        denied([types(['RSA-HSM', 'EC-HSM'])], material({})),
        /other than RSA-HSM, EC-HSM \(allowedKeyTypes\)/,
      ],
      ['keys in software', denied([hardware()], material({ size: undefined })), /keys without hardware protection/],
      ['a type, where its policy could not be read', denied([hardware()], { policy: UNREAD }), /hardware/],
    ],
    right: [
      ['no policy', key()],
      ['an expiry', denied([expiry()])],
      ['a late one', denied([remaining(59)])],
      ['none, where it may not be early', denied([remaining(59)], {}, {})],
      ['an early one', denied([validity(60)])],
      ['large enough', denied([size(2048)], material({}))],
      ['size not told', denied([size(3072)], material({ size: undefined }))],
      ['an allowed type', denied([types(['rsa'])], material({}))],
      ['in hardware', denied([hardware()], material({ type: 'RSA-HSM' }))],
      ['not told what it is', denied([hardware()], { material: { value: undefined } })],
      ['a lifetime that cannot be read', denied([validity(1)], {}, { expiresIn: 'two years' })],
      [
        'imported, so that nothing rotates it',
        denied([expiry()], { versions: { value: [version(10, { tags: { 'cmk-origin': 'imported' } })] } }, {}),
      ],
      ['revoked', denied([expiry()], { versions: { value: [revoked(10)] } }, {})],
    ],
  },
  RevocationOpen: {
    found: [['revoked', inVersions(revoked(100), revoked(10)), /by 33333333/]],
    right: [
      ['in use', key()],
      ['disabled by hand', inVersions(version(10, { enabled: false }))],
    ],
  },
  DrillFailed: {
    found: [
      [
        'the last one failed',
        key({ lastDrill: { key: KEY_ID, on: NOW.toISOString(), passed: false, failure: 'revoke: DrillUnproven' } }),
        /^The drill of .* failed\. revoke: DrillUnproven$/,
      ],
      ['it has no steps', key({ lastDrill: { key: KEY_ID, on: NOW.toISOString(), passed: false } }), /failed\./],
    ],
    right: [
      ['none was run', key()],
      ['the last one passed', key({ lastDrill: { key: KEY_ID, on: NOW.toISOString(), passed: true } })],
    ],
  },
  RevokedVersionEnabled: {
    found: [
      ['enabled by hand', inVersions(revoked(100), revoked(10, { enabled: true })), /another tool enabled it again/],
      ['appeared since', inVersions(revoked(100), version(0.5)), /although the key is revoked/],
    ],
    right: [
      ['all off', inVersions(revoked(100), revoked(10))],
      ['not revoked', key()],
    ],
  },
  RevocationRecordLost: {
    found: [
      [
        'enabled by another tool',
        key({ lostRevocation: { key: KEY_ID, id: 'rev-1', revokedOn: NOW.toISOString(), revokedBy: 'oid-1' } }),
        /by oid-1 \(rev-1\).*Enabled versions: 2 of 2\./,
      ],
    ],
    right: [
      ['not revoked', key()],
      ['revoked', inVersions(revoked(100), revoked(10))],
    ],
  },
  RetirableVersion: {
    found: [
      ['unused since the successor', key({}, [{ pinned: NEW.version }]), /no account that the app read uses it/],
      ['unused by the log too', key({ evidence: logged([]) }), /log of the vault also shows no use/],
      ['in use, by the log', inUse(), /Unknown uses may exist.*used it to unwrap on .* by oid-1/],
      ['the log is out of reach', key({ evidence: { missing: '403' } }), /The log proves nothing: 403/],
      [
        'taken back by a person',
        key({ evidence: logged([]), versions: { value: [{ ...OLD, tags: { 'cmk-kept': 'then oid-1' } }, NEW] } }),
        /Unknown uses may exist.*An operator restored it/,
      ],
    ],
    right: [
      ['still pinned', key({}, [{ pinned: OLD.version }])],
      ['still in use', key({}, [{ current: OLD.version }])],
      ['an account does not tell', key({}, [{ current: undefined }])],
      ['the successor is younger than a day', inVersions(OLD, fresh)],
      ['revoked', inVersions(revoked(100), version(10))],
      ['disabled', inVersions({ ...OLD, enabled: false }, NEW)],
      [
        'a resource of another service names it',
        key({ evidence: logged([]), others: [other([OLD], 'activeKey', DES)] }),
      ],
    ],
  },
  OtherResourceStale: {
    found: [
      ['a server', naming(OLD), /names version .* \(keyId\), more than 24 hours/],
      ['one of two uses', naming(NEW, OLD), /more than 24 hours/],
      ['a version that was imported before', naming(version(50)), /more than 24 hours/],
    ],
    right: [
      ['the newest', naming(NEW)],
      ['no version', naming(undefined)],
      ['a version that is not in the list', naming(version(77))],
      ['versions of the same second', key({ others: [other([NEW]), other([TWIN])], versions: { value: [TWIN, NEW] } })],
      ['what a disk encryption set used before', key({ others: [other([OLD], 'previousKeys.keyUrl', DES)] })],
      ['it is not known what it is used for', key({ others: [{ ...other([OLD]), known: false }] })],
      ['the newer one is new', key({ ...naming(OLD), versions: { value: [OLD, version(0.5)] } })],
      [
        'the newer one was enabled today',
        key({ ...naming(OLD), versions: { value: [OLD, { ...NEW, updatedOn: NOW }] } }),
      ],
      ['revoked', key({ others: [other([OLD])], versions: { value: [OLD, revoked(10)] } })],
      ['nothing can be used', key({ others: [other([OLD])], versions: { value: [version(100, { enabled: false })] } })],
    ],
  },
  OldVersionInUse: {
    found: [
      ['a client that no list shows', inUse(), /No known resource uses it\. A client used it/],
      [
        'whom a retirement cut off',
        key({
          evidence: logged([asked(OLD, 1)]),
          versions: { value: [{ ...OLD, enabled: false, tags: { 'cmk-retired': `${NOW.toISOString()} x` } }, NEW] },
        }),
        /It is retired: Key Vault rejects such requests/,
      ],
    ],
    right: [
      ['by an account in sight', key({ evidence: logged([asked(OLD, 1)]) }, [{ pinned: OLD.version }])],
      ['no more', key({ evidence: logged([asked(OLD, 7)]) })],
      ['the newest', key({ evidence: logged([asked(NEW, 1)]) })],
      ['not named', key({ evidence: logged([{ ...asked(OLD, 1), version: undefined }]) })],
      ['the successor has not taken over yet', inUse({ versions: { value: [OLD, fresh] } })],
      ['named by a resource of another service', inUse({ others: [other([OLD])] })],
      [
        'nothing can be used',
        key({ evidence: logged([asked(OLD, 1)]), versions: { value: [{ ...OLD, enabled: false }] } }),
      ],
      ['no log', key()],
      ['a log out of reach', key({ evidence: { missing: '403' } })],
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
      ['no client', key()],
    ],
  },
};

describeChecks(KEY_CHECKS, keys, KEY_ID, {
  'the key': {
    ...denied([expiry(), hardware()], keyUnread, {}),
    others: [other([OLD])],
    evidence: logged([asked(OLD, 1)]),
    rollout: rollout(),
  },
  'its policy and its type': denied([expiry(), hardware()], {
    policy: UNREAD,
    material: UNREAD,
    versions: { value: [NEW] },
  }),
  'some account that may use it': usersUnread,
  'some account, and a client uses it': { ...usersUnread, evidence: logged([asked(OLD, 1)]) },
});

const found = (reason: string, subject: KeySubject, by = rules()) =>
  evaluate(
    KEY_CHECKS.filter((check) => check.reason === reason),
    subject,
    KEY_ID,
    by,
  );
const commandOf = (reason: string, subject: KeySubject) => found(reason, subject)[0]?.command;
const imported = { 'cmk-origin': 'imported' };

describe('PolicyBlocksRotation', () => {
  const of = (subject: KeySubject) => found('PolicyBlocksRotation', subject);
  const lifetime = (days: number) => `cmk key ensure ${KEY_ID} --version-lifetime P${days}D`;
  const exempt = `az policy exemption create --exemption-category Waiver --name cmk-ours --policy-assignment ${OURS} --scope ${VAULT.id}`;

  it.each<[string, readonly KeyRule[], object, string]>([
    ['the usual two years', [expiry()], {}, lifetime(730)],
    ['as long as is allowed', [expiry(), validity(365)], {}, lifetime(365)],
    ['longer than is denied', [expiry(), remaining(900)], {}, lifetime(901)],
    ['none, where what is allowed is nothing', [remaining(90), validity(90)], {}, exempt],
    ['no shorter than Key Vault takes', [validity(27)], {}, exempt],
    ['longer than the policy waits', [validity(97)], { afterCreate: 'P3M' }, lifetime(97)],
    ['none that is shorter', [validity(96)], { afterCreate: 'P3M' }, exempt],
    ['none where it notifies earlier', [validity(30)], { notifyBeforeExpiry: 'P30D' }, exempt],
    ['where the policy cannot be read, by the rest', [validity(90)], { beforeExpiry: '?' }, lifetime(90)],
  ])('PolicyBlocksRotation is fixed by a lifetime: %s', (_, denials, policy, command) => {
    const found = of(denied(denials, {}, policy));
    expect(found[0]).toMatchObject({ command, cause: { about: [OURS, VAULT.id] } });
  });

  it('PolicyBlocksRotation is fixed by the owner of the policy, if the policy denies the key itself', () => {
    const subject = denied([hardware(), expiry()], {}, {});
    expect(of(subject).map(({ command }) => command)).toEqual([exempt, lifetime(730)]);
    const denials = [{ assignment: { id: OURS, name: 'Ours' }, reference: 'inHsm', rule: hardware() }];
    expect(of({ ...subject, denials })[0]?.command).toBe(
      exempt
        .replace('cmk-ours', 'cmk-ours-inHsm')
        .replace('--scope', '--policy-definition-reference-ids inHsm --scope'),
    );
  });

  it('PolicyBlocksRotation counts a year as 365 days', () => {
    const years = (expiresIn: string) => of(denied([validity(730)], {}, { expiresIn })).map(({ severity }) => severity);
    expect([years('P2Y'), years('P731D'), years('P3Y')]).toEqual([[], ['warning'], ['warning']]);
  });
});

describe('the command of a finding', () => {
  it('The command for KeyOperationsMissing permits the operations that Storage needs, and keeps those permitted before', () => {
    const command = commandOf('KeyOperationsMissing', operations(['sign', 'wrapKey']));
    expect(command).toMatch(/ --id \S+ --ops sign wrapKey unwrapKey$/);
    const ec = key({ material: { value: { type: 'EC', size: undefined, operations: ['sign', 'verify'] } } });
    expect(found('KeyOperationsMissing', ec)).toEqual([]);
  });

  it('No command of a finding rotates imported key material', () => {
    const old = version(800, { tags: imported, expiresOn: undefined });
    expect(found('KeyTooOld', inVersions(old))).toMatchObject([{ canFix: false }]);
    expect(commandOf('KeyTooOld', inVersions(old))).toBeUndefined();
    expect(commandOf('KeyTooOld', inVersions({ ...old, tags: {} }))).toBe(`cmk key rotate ${KEY_ID}`);
    const half = inVersions(version(90, { tags: imported }), version(0.1, { tags: imported, expiresOn: undefined }));
    expect(found('RotationIncomplete', half)).toMatchObject([{ canFix: false }]);
    expect(commandOf('RotationIncomplete', half)).toBeUndefined();
  });

  it('The command for NearExpiry does not count a new version that nears its expiry as the requested rotation', () => {
    const near = (ageDays: number) => ({
      ...inVersions(version(ageDays, { expiresOn: new Date(NOW.getTime() + 5 * DAYS) })),
      policy: UNREAD,
    });
    expect(commandOf('NearExpiry', near(0.01))).toBe(`cmk key rotate ${KEY_ID} --if-older-than PT0S`);
    expect(commandOf('NearExpiry', near(10))).toBe(`cmk key rotate ${KEY_ID}`);
  });

  it('RetirableVersion lets only the app disable a version that the log shows as unused', () => {
    const [proven] = found('RetirableVersion', key({ evidence: logged([]) }));
    expect(proven?.fix).toMatch(/^Add RetirableVersion to CMK_AUTOFIX/);
    // Without proof the app never disables it.
    expect([proven?.canFix, found('RetirableVersion', key())[0]?.canFix]).toEqual([true, false]);
  });

  it('RetirableVersion does not retire a version by the log if a backup may need it', () => {
    const [held] = found('RetirableVersion', key({ evidence: logged([]), others: [other([NEW])] }));
    expect(held).toMatchObject({ canFix: false, is: expect.stringMatching(/sql-files may have backups/) });
    expect(held?.fix).toMatch(/^Determine whether/);
  });
});

describe('key checks', () => {
  it.each([
    ['10 days before', KEY_ID, expiring(10), 'error'],
    ['more than 10 days before', KEY_ID, expiring(10.1), 'warning'],
    ['where something that it stops follows the newest version', KEY_ID, follows(POSTGRES), 'error'],
    ['where something that it stops is held at an older one', near.id, held(DES), 'error'],
    ['where nothing of the kind uses it', KEY_ID, follows('microsoft.sql/servers'), 'warning'],
  ] as const)('NearExpiry %s has the severity: %s %#', (_, resource, subject, severity) => {
    expect(found('NearExpiry', subject)).toMatchObject([{ resource, severity }]);
  });

  it('NearExpiry is fixed only where a rotation is safe', () => {
    const soon = version(20, { expiresOn: tomorrow });
    const can = (subject: KeySubject) => found('NearExpiry', subject).map(({ canFix }) => canFix);
    expect(can({ ...inVersions(soon), ...BY_HAND, usage: used })).toEqual([true]);
    expect(can({ ...inVersions(soon), ...BY_HAND, usage: usersUnread.usage })).toEqual([true]); // the worker finds out
    expect(can({ ...inVersions(soon), ...BY_HAND })).toEqual([false]); // no account uses it
    expect(can({ ...inVersions({ ...soon, tags: { 'cmk-rotation': 'auto' } }), ...BY_HAND })).toEqual([true]);
    expect(can(inVersions(soon))).toEqual([false]); // its own policy rotates it
    expect(can({ ...inVersions({ ...soon, tags: imported }), ...BY_HAND, usage: used })).toEqual([false]);
  });

  it('RotationIncomplete is fixed only where the app is to manage the key', () => {
    const half = (tags: Record<string, string>) => inVersions(version(100, { expiresOn: tomorrow, tags }), endless());
    const can = (tags: Record<string, string>, usage = used) =>
      found('RotationIncomplete', { ...half(tags), usage }).map(({ canFix }) => canFix);
    expect(can({})).toEqual([true]);
    expect(can({ 'cmk-rotation': 'manual' })).toEqual([false]);
    expect(can({}, key().usage)).toEqual([false]);
    expect(can({ 'cmk-rotation': 'auto' }, key().usage)).toEqual([true]);
  });

  it('an expired key has one cause with its accounts, and none that it expires soon', () => {
    const causesAt = (days: number) => found('NearExpiry', expiring(days)).map(({ cause }) => cause);
    expect(causesAt(1)).toMatchObject([{ reason: 'NearExpiry', about: [KEY_ID] }]);
    expect(causesAt(-1)).toEqual([
      { id: createCauseId('KeyExpired', [KEY_ID]), reason: 'KeyExpired', about: [KEY_ID] },
    ]);
  });
});
