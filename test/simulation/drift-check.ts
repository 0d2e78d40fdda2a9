import { FleetScans } from '../../src/accounts/fleet-scan.ts';
import type { Check } from '../../src/drift/checks/check.ts';
import { evaluate } from '../../src/drift/checks/evaluate.ts';
import { KeyUsage } from '../../src/drift/checks/key-usage.ts';
import type { KeySubject, Rules } from '../../src/drift/checks/subjects.ts';
import { type FixServices, fix } from '../../src/drift/fixes.ts';
import { followUnfinished, type RotationServices, readRotations } from '../../src/drift/read-rotations.ts';
import type { Account } from '../../src/fleet/account.ts';
import type { FleetIndex } from '../../src/fleet/fleet-index.ts';
import { accountKeyUse, usesKey } from '../../src/fleet/key-use.ts';
import { planKeyUse } from '../../src/fleet/plan.ts';
import type { StorageAccounts } from '../../src/fleet/storage-client.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import { mayNeedRotation } from '../../src/keys/near-expiry.ts';
import { needsLook } from '../../src/revocation/keep-revoked.ts';
import type { Settings } from '../../src/settings/settings.ts';
import { KEY_WORK } from '../../src/work/messages.ts';
import { KEY, SUBSCRIPTION } from '../support/keys.ts';
import { OTHER } from './app-scenario.ts';

type DriftPorts = RotationServices &
  Pick<FixServices, 'rollout' | 'schedule'> & {
    readonly settings: Settings;
    readonly accounts: StorageAccounts;
    readonly fleet: FleetIndex;
    readonly newId: () => string;
    readonly sleep: (ms: number) => Promise<void>;
  };

interface Subject {
  readonly account: Account;
  readonly key: ManagedKey;
  readonly versions: readonly KeyVersion[];
}

/** What uses a key and is not on its newest version; of an automatic account too, as if a day had passed. */
const CHECKS = (['StaleKeyVersion', 'LaggingAutomaticVersion'] as const).map(
  (reason): Check<Subject> => ({
    reason,
    severity: 'error',
    ensures: '',
    fix: '',
    find({ account, key, versions }, { now }) {
      const use = accountKeyUse(account.encryption);
      if (!use || (use.pinned !== undefined) !== (reason === 'StaleKeyVersion')) return [];
      if (!planKeyUse(use, versions, now, { refreshAutomatic: true }).write) return [];
      const action = { kind: 'account', account: account.id, location: account.location, key: key.id } as const;
      return [{ is: '', shouldBe: '', action }];
    },
  }),
);

const CHECK = 'check';

/** The drift check as far as it is about the keys, their accounts and rotations. What it cannot read it goes on without. */
export async function checkDrift(ports: DriftPorts): Promise<void> {
  const { keys, queue, now, settings } = ports;
  const log = () => {};
  const accounts = await listAccounts(ports);
  const found: Subject[] = [];
  const subjects: KeySubject[] = [];
  for (const key of [KEY, OTHER]) {
    const versions = await keys.listVersions(key).catch(() => []);
    const usage = new KeyUsage();
    for (const account of accounts) {
      const use = accountKeyUse(account.encryption);
      if (!use || !usesKey(use, key)) continue;
      usage.add(account.name, use);
      found.push({ account, key, versions });
    }
    subjects.push({ key, state: 'present', versions: { value: versions }, usage } as unknown as KeySubject);
  }
  const rotations = await readRotations(subjects, ports, log);
  const rules = { now: now(), drift: settings.drift } as unknown as Rules;
  const since = rules.now.toISOString();
  const findings = found.flatMap((subject) =>
    evaluate(CHECKS, subject, subject.account.id, rules).map((finding) => ({ ...finding, since })),
  );
  await followUnfinished(rotations, findings, CHECK, ports);
  const versions = subjects[0] && 'value' in subjects[0].versions ? subjects[0].versions.value : [];
  const work = { key: KEY.id, cause: { by: 'drift', ref: '', since: '' }, attempt: 0 };
  const send = (kind: { kind: 'key' } | { kind: 'rotate' }) =>
    queue.send(KEY_WORK, { ...kind, ...work }).catch(() => {});
  if (needsLook(versions, rules.now)) await send({ kind: 'key' });
  if (mayNeedRotation(versions, rules.now)) await send({ kind: 'rotate' });
  await fix(findings, CHECK, ports as unknown as FixServices, log);
}

/** They are written into the index as they are listed. */
async function listAccounts({ accounts, fleet, now, sleep }: DriftPorts): Promise<Account[]> {
  const scan = new FleetScans({ fleet, now, sleep }).of(SUBSCRIPTION);
  const listed: Account[] = [];
  let isWhole = true;
  try {
    for await (const account of accounts.list(SUBSCRIPTION)) {
      listed.push(account);
      await scan.saw({ account, scopes: undefined });
    }
  } catch {
    isWhole = false;
  }
  await scan.end(isWhole);
  return listed;
}
