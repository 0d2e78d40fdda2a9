import { generateKeyPairSync } from 'node:crypto';
import type { KeyVersion, StorageAccount } from '../../../local/azure/world.ts';
import type { AuditEntry } from '../../../src/audit/record.ts';
import type { App } from '../../support/app.ts';
import { TestKey } from '../../support/fleet.ts';

// One key for all: making RSA keys is what takes the time.
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const DAY = 86_400;

/** A key of one case alone, and what uses it. */
export interface Subject {
  readonly key: TestKey;
  readonly accounts: readonly StorageAccount[];
  /** How each version was before a revocation. */
  readonly before: readonly { readonly enabled: boolean; readonly tags: string }[];
  /** The revocation to be restored. */
  readonly revocation: string | undefined;
  /** Ids of the revocations whose calls were answered. */
  readonly answered: string[];
  /** What the last call was answered. */
  last?: string;
}

export interface Flow {
  readonly name: string;
  prepare(app: App): Promise<Subject>;
  /** Starts the flow for all subjects at once. Resolves when every caller has its answer or has aborted. */
  begin(app: App, subjects: readonly Subject[]): Promise<void>;
  /** What is wrong when everything is at rest. */
  broken(subject: Subject, entries: readonly AuditEntry[], isKilled?: boolean): string[];
}

function subjectOf(app: App, versions: readonly object[], use: number): Subject {
  const [first = {}, ...rest] = versions.map((options) => ({ privateKey, ...options }));
  const key = new TestKey(app.azure.world, 'kv-files', first);
  const all = [key.first, ...rest.map((options) => key.add(options))];
  const version = all[use] ?? key.first;
  const pinned = { key: key.use('pinned', version), unchecked: true };
  const accounts = [
    key.account('pinned', { ...pinned, scopes: [{ name: 'scope1', key: pinned.key }], shares: ['share1'] }),
    key.account('pinned', { ...pinned, shares: ['share1'] }),
  ];

  return { key, accounts, before: stateOf(all), revocation: undefined, answered: [] };
}

const stateOf = (versions: readonly KeyVersion[]) =>
  versions.map(({ enabled, tags = {} }) => {
    const kept = Object.entries(tags).filter(([name]) => name !== 'cmk-restored'); // that it was restored stays on record
    return { enabled, tags: JSON.stringify(kept.sort()) };
  });

const versionsOf = ({ key }: Subject): readonly KeyVersion[] => key.vault.keys.get(key.name)?.versions ?? [];

/** Calls again until it is answered for good, as a person does who needs it done. */
async function insist(
  app: App,
  subject: Subject,
  verb: 'revoke' | 'restore',
  body: object,
): Promise<string | undefined> {
  const as = verb === 'revoke' ? 'revoker' : 'restorer';
  const whole = { reason: 'One fault at a time', ...body };
  for (let attempt = 1; attempt <= 40; attempt++) {
    const answer = await app.call(as, 'POST', `/keys/kv-files/${subject.key.name}/${verb}`, whole);
    const text = await answer.text();
    subject.last = `${answer.status} ${text.slice(0, 300)}`;

    if (answer.status === 200) return (JSON.parse(text) as { revocation?: { id: string } }).revocation?.id;
    if (answer.status < 500) return undefined;

    await new Promise((resolve) => setTimeout(resolve, 200));
  }

  return undefined;
}

const revoke = (app: App, subject: Subject) =>
  insist(app, subject, 'revoke', { confirm: `kv-files/${subject.key.name}` });
const restore = (app: App, subject: Subject) => insist(app, subject, 'restore', { revocation: subject.revocation });

/** Where the accounts and their scopes point: each has to be on this version. */
function notOn(subject: Subject, version: string | undefined): string[] {
  return subject.accounts.flatMap(({ encryption, encryptionScopes }, index) => {
    const pinned = encryption.keyvaultproperties?.keyversion;
    const scopes = [...encryptionScopes.values()].map(({ keyVaultProperties }) => keyVaultProperties?.keyUri);
    return [
      ...(pinned === version ? [] : [`account ${index + 1} is pinned to ${pinned}, not to ${version}`]),
      ...scopes.flatMap((uri) => (uri?.endsWith(`/${version}`) ? [] : [`its scope is on ${uri}, not on ${version}`])),
    ];
  });
}

function count(what: string, found: number, wanted: number): string[] {
  return found === wanted ? [] : [`${what}: ${found} records, not ${wanted}`];
}

/** The records of moves. A killed worker leaves one that the next worker records as observed, as it did not send it. */
const moves = ({ accounts }: Subject, entries: readonly AuditEntry[], isKilled = false) =>
  entries.filter(
    ({ action, reason, resource }) =>
      action === 'account.move' &&
      (reason === 'Moved' || (isKilled && reason === 'MoveObserved')) &&
      accounts.some(({ id }) => id === resource),
  );

const about = ({ key }: Subject, entries: readonly AuditEntry[], action: string, reason: string) =>
  entries.filter((entry) => entry.action === action && entry.reason === reason && entry.resource === key.id());

export const FLOWS: readonly Flow[] = [
  {
    name: 'rotate',
    async prepare(app) {
      const now = app.azure.clock.nowSeconds();
      // Near its expiry in a moment: the clock does the rest.
      const nearing = { nbf: now - 330 * DAY, exp: now + 30 * DAY + 600, tags: { 'cmk-rotation': 'auto' } };
      return subjectOf(app, [nearing], 0);
    },
    begin: (app) => app.advance(700_000),
    broken(subject, entries, isKilled) {
      const versions = versionsOf(subject);
      const [from, to] = versions;
      const moved = moves(subject, entries, isKilled);
      const once = subject.accounts.flatMap(({ id, encryptionScopes }, index) =>
        [undefined, ...encryptionScopes.values()].flatMap((scope) => {
          const own = moved.filter(({ resource, details }) => resource === id && details?.scope === scope?.name);
          const wrong = own.filter(({ details }) => !isMove(details, from, to));
          const what = `move of account ${index + 1}${scope ? `, ${scope.name}` : ''}`;
          return [...count(what, own.length, 1), ...wrong.map(({ details }) => `${what}: ${JSON.stringify(details)}`)];
        }),
      );

      return [
        ...(versions.length === 2 ? [] : [`the key has ${versions.length} versions, not 2`]),
        ...notOn(subject, versions.at(-1)?.version),
        ...once,
        ...count('rotation', about(subject, entries, 'key.rotate', 'Rotated').length, 1),
      ];
    },
  },
  {
    name: 'revoke',
    prepare: async (app) => subjectOf(app, [{}, { enabled: false }, {}], 2),
    async begin(app, subjects) {
      await Promise.all(
        subjects.map(async (subject) => {
          const id = await revoke(app, subject);
          if (id) subject.answered.push(id);
        }),
      );
    },
    broken(subject, entries) {
      const versions = versionsOf(subject);
      const usable = versions.filter(({ enabled }) => enabled).length;
      const records = about(subject, entries, 'key.revoke', 'Revoked');
      const idOf = ({ details }: AuditEntry) => (details?.revocation as { id?: string } | undefined)?.id ?? '';
      const ids = new Set([...subject.answered, ...records.map(idOf)]);

      return [
        ...(subject.answered.length === 1 ? [] : [`the caller was told: ${subject.last}`]),
        ...(usable === 0 ? [] : [`${usable} of ${versions.length} versions are enabled`]),
        ...notOn(subject, versions[2]?.version),
        ...[...ids].flatMap((id) =>
          count(`revocation ${id}`, records.filter((record) => idOf(record) === id).length, 1),
        ),
        ...count('moves', moves(subject, entries, true).length, 0),
      ];
    },
  },
  {
    name: 'restore',
    async prepare(app) {
      const subject = subjectOf(app, [{}, { enabled: false }, {}], 2);
      const revocation = await revoke(app, subject);
      if (!revocation) throw new Error(`The key could not be revoked: ${subject.last}`);
      return { ...subject, revocation };
    },
    begin: async (app, subjects) => {
      await Promise.all(subjects.map((subject) => restore(app, subject)));
    },
    broken(subject, entries) {
      const now = JSON.stringify(stateOf(versionsOf(subject)));
      const before = JSON.stringify(subject.before);

      return [
        ...(now === before
          ? []
          : [`the versions are ${now}, and were ${before} (the caller was told: ${subject.last})`]),
        ...notOn(subject, versionsOf(subject)[2]?.version),
        ...count('restore', about(subject, entries, 'key.restore', 'Restored').length, 1),
        ...count('revocation', about(subject, entries, 'key.revoke', 'Revoked').length, 1),
        ...count('moves', moves(subject, entries, true).length, 0),
      ];
    },
  },
];

function isMove(details: AuditEntry['details'], from: KeyVersion | undefined, to: KeyVersion | undefined): boolean {
  const ends = (id: unknown, version: KeyVersion | undefined) => String(id).endsWith(`/${version?.version}`);
  return ends(details?.from, from) && ends(details?.to, to);
}
