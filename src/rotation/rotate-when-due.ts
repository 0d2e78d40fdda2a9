import type { Dependence } from '../accounts/inventory.ts';
import { AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { LIMITS } from '../azure/limits.ts';
import type { Keys, RotationPolicy } from '../keys/key-client.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log, LogLevel } from '../log.ts';
import { findPause } from '../orders/standing-orders.ts';
import type { OrdersStore } from '../orders/standing-orders-client.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { GIVEN_UP_MS } from '../time/spans.ts';
import { HELD_MS, LEASE_CONTAINER, type Lease, type Leases } from '../work/lease-client.ts';
import type { RotateWork } from '../work/messages.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import { madeSince, parseIntent, type RotationIntent } from './intent.ts';
import { type Completed, completeVersion, keepRecord, type Made, makeVersion } from './make-version.ts';
import {
  decideRotation,
  hsmNeedsPolicy,
  isRotatedByTag,
  mayBeCompleted,
  type RotationDecision,
  rotatedByHand,
  unfinishedRotation,
  whyNotRotated,
} from './rotation.ts';

/** After this time, an announced request has taken effect or never will: the lease limits its start. Milliseconds. */
const LANDED_MS = HELD_MS + LIMITS.keyWork.wholeWriteMs + GIVEN_UP_MS;
const LANDED_SECONDS = LANDED_MS / 1000;

/** Retry delay if another worker holds the key's lease: most rotations take less. Seconds. */
const BUSY_SECONDS = 10;

export interface RotationPorts {
  readonly settings: { readonly vaults: Pick<ManagedVaults, 'key'> };
  readonly keys: Pick<Keys, 'listVersions' | 'rotationPolicy' | 'rotate' | 'updateVersion'>;
  readonly leases: Leases;
  readonly orderStore: Pick<OrdersStore, 'read'>;
  readonly dependents: (key: ManagedKey) => Promise<Dependence>;
  readonly audit: RecordAudit;
  /** Clock of the app's storage account, so that instances with skewed clocks agree. */
  readonly now: () => Date;
}

/**
 * Rotates a key that is due. Creates at most one version per expiry, even after duplicate messages, a killed worker
 * or a lost answer. The key's lease fences other workers, and stores the start of the rotation.
 */
export async function rotateWhenDue(work: RotateWork, ports: RotationPorts, log: Log): Promise<Outcome> {
  const key = ports.settings.vaults.key(work.key);
  if (!key) return { outcome: 'reject', reason: 'VaultNotManaged', detail: `${work.key} is in no managed vault.` };
  try {
    const lease = await ports.leases.acquire(`key/${key.vault.name}/${key.name.toLowerCase()}`);
    if (!lease) return later('RotationUnderWay', key.id, BUSY_SECONDS);
    try {
      return await new Rotation(key, work, lease, ports, log).reconcile();
    } finally {
      await lease.release();
    }
  } catch (error) {
    return outcomeOfFailure(error);
  }
}

/** Requeues the message for a number of seconds. The attempt does not count, so the message never becomes poison. */
function later(reason: Reason, detail: string, delaySeconds: number): Extract<Outcome, { readonly outcome: 'retry' }> {
  return { outcome: 'retry', reason, detail, counts: false, delaySeconds };
}

class Rotation {
  readonly #key: ManagedKey;
  readonly #work: RotateWork;
  readonly #lease: Lease;
  readonly #ports: RotationPorts;
  readonly #log: Log;

  constructor(key: ManagedKey, work: RotateWork, lease: Lease, ports: RotationPorts, log: Log) {
    this.#key = key;
    this.#work = work;
    this.#lease = lease;
    this.#ports = ports;
    this.#log = log;
  }

  async reconcile(): Promise<Outcome> {
    const { keys, orderStore, now } = this.#ports;
    const begun = parseIntent(this.#lease.state);
    const waitMs = begun ? Date.parse(begun.until) - now().getTime() : 0;
    // No worker sends a request while an earlier request may take effect. The app never sets a longer wait.
    if (waitMs > 0 && waitMs <= LANDED_MS) return later('RotationUnknown', REASONS.RotationUnderWay, waitMs / 1000);
    const [versions, policy] = await Promise.all([keys.listVersions(this.#key), keys.rotationPolicy(this.#key)]);
    if (begun) {
      const resumed = await this.#resume(begun, versions);
      if (resumed) return resumed;
    }
    // The end of the pause requests the key again.
    if (findPause(await orderStore.read(), this.#key.id, now())) {
      return this.#leave({ reason: 'Paused', needsPerson: false });
    }
    const decision = decideRotation(versions, policy, now());
    if (decision.rotate) return this.#rotateIfNeeded(decision.from, policy);
    const unfinished = decision.reason === 'NotNearExpiry' ? unfinishedRotation(versions, now()) : undefined;
    if (!unfinished || rotatedByHand(unfinished.from) || rotatedByHand(unfinished.to)) return this.#leave(decision);
    const { from, to } = unfinished;
    const excluded = await this.#excluded(from);
    if (excluded) return excluded;
    await this.#begin(from, true);
    return this.#finish(from, to, true);
  }

  /** Finishes an earlier rotation; returns undefined if it took no effect. */
  async #resume(begun: RotationIntent, versions: readonly KeyVersion[]): Promise<Outcome | undefined> {
    const { keys, now } = this.#ports;
    const made = madeSince(begun, versions, now());
    if (!made) {
      await this.#lease.save(undefined);
      return undefined;
    }
    if (openRevocation(versions, now())) {
      // A revocation's record is a tag, so no other tags are written now. The rotation is completed after the restore.
      await keepRecord(this.#key, made.to.version, versions, keys, now());
      return this.#leave({ reason: 'RevocationOpen', needsPerson: false });
    }
    await this.#begin(made.from, begun.completes);
    return this.#finish(made.from, made.to, begun.completes, true);
  }

  async #rotateIfNeeded(newest: KeyVersion, policy: RotationPolicy): Promise<Outcome> {
    const { keys, now } = this.#ports;
    const excluded = await this.#excluded(newest);
    if (excluded) return excluded;
    // The search for dependents may take long, so list the versions again.
    const decision = decideRotation(await keys.listVersions(this.#key), policy, now());
    if (!decision.rotate) return this.#leave(decision);
    const { from } = decision;
    await this.#begin(from, false);
    if (!this.#lease.held()) return later('RotationUnderWay', this.#key.id, LANDED_SECONDS);
    let result: Made;
    try {
      result = await makeVersion(this.#key, from, keys);
    } catch (error) {
      await this.#lease.save(undefined);
      const failure = describeFailure(error);
      if (failure.kind !== 'refused') throw error;
      // Final (imported material, an Azure Policy): an operator must act, since a retry would also fail.
      this.#say('error', 'RotationRefused', `${describe(failure)}${hsmNeedsPolicy(this.#key)}`);
      return DONE;
    }
    if ('unknown' in result) return later('RotationUnknown', describe(result.unknown), LANDED_SECONDS);
    return this.#finish(from, result.made, false);
  }

  /** Completes and records the new version. Clears the intent last: after a crash the next holder repeats both. */
  async #finish(from: KeyVersion, to: KeyVersion, completes: boolean, isResumed = false): Promise<Outcome> {
    const { keys, audit, now } = this.#ports;
    const isItsOwn = !isResumed || mayBeCompleted(from, to, now());
    const { version, refused }: Completed = isItsOwn
      ? await completeVersion(this.#key, from, to, keys)
      : { version: to };
    if (!version.enabled) {
      await keepRecord(this.#key, version.version, await keys.listVersions(this.#key), keys, now());
    }
    if (refused)
      this.#say('error', 'RotationIncomplete', `Set the tags and the expiry manually. ${describe(refused)}`, to);
    const reason = completes ? 'RotationCompleted' : 'Rotated';
    const result = { to: version.id, expiresOn: version.expiresOn?.toISOString() };
    const details = { from: from.id, ...result, ...(isResumed ? { foundIn: LEASE_CONTAINER } : {}) };
    const id = `key.rotate/${version.version}`;
    const entry = { id, action: 'key.rotate', reason, resource: this.#key.id, details };
    const written = await audit(entry, AUDIT_WAIT_MS);
    if ('failed' in written) return later('AuditFailed', written.failed, LANDED_SECONDS);
    this.#say('info', reason, '', from, result);
    await this.#lease.save(undefined);
    return DONE;
  }

  /** Announces the next request. */
  #begin(from: KeyVersion, completes: boolean): Promise<void> {
    const until = new Date(this.#ports.now().getTime() + LANDED_MS).toISOString();
    return this.#lease.save({ from: from.version, completes, until });
  }

  /** Returns undefined if the app may rotate the key. */
  async #excluded(newest: KeyVersion): Promise<Outcome | undefined> {
    if (isRotatedByTag(newest)) return undefined;
    const dependence = await this.#ports.dependents(this.#key);
    const reason = whyNotRotated(dependence);
    if (!reason) return undefined;
    const detail = dependence.answer === 'unknown' ? dependence.detail : '';
    // The next drift check retries.
    this.#say(reason === 'NoDependents' ? 'info' : 'error', reason, detail, newest);
    return DONE;
  }

  #leave({ reason, needsPerson }: Omit<Extract<RotationDecision, { rotate: false }>, 'rotate'>): Outcome {
    this.#say(needsPerson ? 'error' : 'info', reason, '');
    return DONE;
  }

  #say(level: LogLevel, reason: Reason, detail: string, about?: KeyVersion, more: Record<string, unknown> = {}): void {
    const message = `${REASONS[reason]} ${detail}`.trim();
    const version = about ? { version: about.version } : {};
    this.#log({ level, reason, message, key: this.#key.id, cause: this.#work.cause, ...version, ...more });
  }
}
