import { randomUUID } from 'node:crypto';
import { findAccountKeyUse } from '../../../accounts/key-use.ts';
import type { Change } from '../../../audit/journal.ts';
import { DRILL_ACTION } from '../../../drift/gather/known-drills.ts';
import type { ManagedKey } from '../../../keys/managed-vaults.ts';
import { getVersionInUse } from '../../../keys/version-in-use.ts';
import type { ProbeTarget } from '../../../probe/probe.ts';
import { NOT_AUDITED } from '../../../revocation/record-revocation.ts';
import { formatKeyName } from '../../../revocation/usable-key.ts';
import { rotateKey } from '../../../rotation/rotate-key.ts';
import { recordDone } from '../app-storage.ts';
import type { Operation } from '../operator-azure.ts';
import { findDrillShare, probeShare, requireServed } from './drill-data.ts';
import { awaitProof, type DrillStep, runStep } from './drill-step.ts';
import { type DrillTarget, findDrillTarget, refuseOtherUsers } from './drill-target.ts';
import { type DrillOptions, type DrillPath, KEYS_PATH } from './revoke-by-keys.ts';

interface Drill extends DrillTarget {
  readonly share: ProbeTarget;
  readonly path: DrillPath;
  readonly options: DrillOptions;
}

/**
 * Rotates, revokes and restores a key that exists for drills, and measures each step up to its proof. First restores
 * what an interrupted drill left revoked.
 *
 * @throws {@link CmkError} for every other key, and if the account does not serve: nothing was changed
 */
export async function runDrill(named: ManagedKey, options: DrillOptions, operation: Operation) {
  const { azure, journal } = operation;
  const target = await findDrillTarget(named, operation);
  const { key, account } = target;

  await refuseOtherUsers(target, operation);
  journal.found(`${account.name} alone uses ${formatKeyName(key)}; both are tagged for drills`);

  const drill: Drill = { ...target, share: await findDrillShare(account, operation), path: KEYS_PATH, options };
  const isLeftRevoked = await drill.path.isRevoked(key, operation);
  const about = { key: key.id, account: account.id, path: 'keys' as const };

  if (journal.dryRun) {
    if (!isLeftRevoked) await requireServed(drill.share, operation);
    for (const change of plannedChanges(drill, isLeftRevoked)) journal.planned(change);
    return { ...about, passed: false, steps: [], ...NOT_AUDITED };
  }

  if (isLeftRevoked) await restoreLeftOver(drill, operation);
  await requireServed(drill.share, operation);

  const steps = [
    await rotate(drill, operation),
    await revoke(drill, operation),
    // Also after a failed step: the key may be revoked.
    await restore(drill, operation),
  ];
  const passed = steps.every((step) => step.passed);
  const { reason: why, ticket, app } = options;
  const correlationId = randomUUID();
  const reason = passed ? 'DrillPassed' : 'DrillFailed';
  const details = { why, ticket, account: account.id, path: about.path, endedOn: azure.now().toISOString(), steps };
  const entry = {
    id: `drill.run/${correlationId}`,
    action: DRILL_ACTION,
    reason,
    resource: key.id,
    correlationId,
    details,
  };
  const audit = await recordDone(entry, app.audit, operation);

  return { ...about, passed, steps, audit };
}

function plannedChanges({ key }: Drill, isLeftRevoked: boolean): Change[] {
  const change = (did: string, action: string): Change => ({
    text: `key ${formatKeyName(key)} ${did}`,
    action,
    resource: key.id,
  });

  return [
    ...(isLeftRevoked ? [change('restored, which an interrupted drill left revoked', 'key.restore')] : []),
    change('rotated', 'key.rotate'),
    change('revoked', 'key.revoke'),
    change('restored', 'key.restore'),
  ];
}

async function restoreLeftOver(drill: Drill, operation: Operation): Promise<void> {
  const { key, path, options } = drill;

  operation.journal.note(`${formatKeyName(key)} is still revoked: it is restored before the drill.`);
  await path.restore(key, options, operation);
  await awaitServed(drill, operation);
}

function rotate({ key, account, options }: Drill, operation: Operation): Promise<DrillStep> {
  const { azure } = operation;

  return runStep('rotate', operation, async (clock) => {
    const { to } = await rotateKey(key, 0, operation);
    clock.changed();

    const proof = { waitingFor: `${account.name} to use ${to}`, seconds: options.waitSeconds };
    return awaitProof(proof, operation, async () => {
      const use = findAccountKeyUse((await azure.accounts.get(account)).encryption);
      const used = use && getVersionInUse(use);
      return used === to ? { proof: `${account.name} uses ${to}` } : { seen: `${account.name} uses ${used}` };
    });
  });
}

function revoke(drill: Drill, operation: Operation): Promise<DrillStep> {
  const { key, account, share, path, options } = drill;

  return runStep('revoke', operation, async (clock) => {
    await refuseOtherUsers(drill, operation);
    clock.restart();
    await path.revoke(key, options, operation);
    clock.changed();

    // An account that began to use the key right before the revocation gets it back at once.
    const ended = new AbortController();
    const alone = refuseOtherUsers(drill, operation).catch((error: unknown) => {
      ended.abort(error);
      throw error;
    });
    const proof = {
      waitingFor: `the file service of ${account.name} to refuse`,
      seconds: options.waitSeconds,
      signal: ended.signal,
    };
    const refused = awaitProof(proof, operation, async () => {
      const { state, why } = await probeShare(share, operation);
      return state === 'blocked' ? { proof: `${account.name} refuses: ${why}` } : { seen: why ?? state };
    });

    const [detail] = await Promise.all([refused, alone]);
    return detail;
  });
}

function restore(drill: Drill, operation: Operation): Promise<DrillStep> {
  const { key, path, options } = drill;

  return runStep('restore', operation, async (clock) => {
    const isRestored = await path.restore(key, options, operation, clock);
    if (isRestored) clock.changed();

    const served = await awaitServed(drill, operation);
    return isRestored ? served : `${served}; the key was not revoked`;
  });
}

function awaitServed({ account, share, options }: Drill, operation: Operation): Promise<string> {
  const proof = { waitingFor: `the file service of ${account.name} to serve`, seconds: options.waitSeconds };
  return awaitProof(proof, operation, async () => {
    const { state, why } = await probeShare(share, operation);
    return state === 'open' ? { proof: `${account.name} serves share ${share.places[0]}` } : { seen: why ?? state };
  });
}
