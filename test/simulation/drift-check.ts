import { FleetScans } from '../../src/accounts/fleet-scan.ts';
import type { Check } from '../../src/drift/checks/check.ts';
import { evaluate } from '../../src/drift/checks/evaluate.ts';
import type { Rules } from '../../src/drift/checks/subjects.ts';
import { isFixed } from '../../src/drift/fixes.ts';
import type { Account } from '../../src/fleet/account.ts';
import type { FleetIndex } from '../../src/fleet/fleet-index.ts';
import { accountKeyUse, usesKey } from '../../src/fleet/key-use.ts';
import { planKeyUse } from '../../src/fleet/plan.ts';
import type { StorageAccounts } from '../../src/fleet/storage-client.ts';
import type { Keys } from '../../src/keys/key-client.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import { mayNeedRotation } from '../../src/keys/near-expiry.ts';
import { needsLook } from '../../src/revocation/keep-revoked.ts';
import type { Settings } from '../../src/settings/settings.ts';
import { ACCOUNT_WORK, KEY_WORK, type Work } from '../../src/work/messages.ts';
import type { WorkQueue } from '../../src/work/work-queue-client.ts';
import { KEY, SUBSCRIPTION } from '../support/keys.ts';
import { OTHER } from './app-scenario.ts';

interface DriftPorts {
  readonly settings: Settings;
  readonly accounts: StorageAccounts;
  readonly fleet: FleetIndex;
  readonly keys: Pick<Keys, 'listVersions'>;
  readonly queue: Pick<WorkQueue, 'send'>;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
}

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
  const accounts = await listAccounts(ports);
  const found: Subject[] = [];
  const versionsOf = new Map<ManagedKey, readonly KeyVersion[]>();
  for (const key of [KEY, OTHER]) {
    const versions = await keys.listVersions(key).catch(() => []);
    versionsOf.set(key, versions);
    for (const account of accounts) {
      if (usesKey(accountKeyUse(account.encryption), key)) found.push({ account, key, versions });
    }
  }
  const rules = { now: now(), drift: settings.drift } as unknown as Rules;
  const at = rules.now.toISOString();
  const findings = found.flatMap((subject) =>
    evaluate(CHECKS, subject, subject.account.id, rules).map((finding) => ({ ...finding, since: at })),
  );
  const send = (work: Work) =>
    queue.send(work.kind === 'account' ? ACCOUNT_WORK : KEY_WORK, work as never).catch(() => {});
  const carried = { cause: { by: 'drift', ref: CHECK, since: at }, attempt: 0 };
  const versions = versionsOf.get(KEY) ?? [];
  if (needsLook(versions, rules.now)) await send({ kind: 'key', key: KEY.id, ...carried });
  if (mayNeedRotation(versions, rules.now)) await send({ kind: 'rotate', key: KEY.id, ...carried });
  const fixed = findings.filter((finding) => isFixed(finding, settings.drift.autofix));
  for (const { action } of fixed) if (action?.kind === 'account') await send({ ...action, ...carried });
  for (const key of new Set(found.map((subject) => subject.key.id))) {
    const isFixing = fixed.some(({ action }) => action?.kind === 'account' && action.key === key);
    if (isFixing) await send({ kind: 'rotation', key, since: at, due: at, onlyLooks: true, ...carried });
  }
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
