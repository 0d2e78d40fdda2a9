import type { AuditOutcome, RecordAudit } from '../audit/audit-trail.ts';
import { type AuditEntry, EVERY_KEY } from '../audit/record.ts';
import { messageOf } from '../errors.ts';
import type { Keys } from '../keys/key-client.ts';
import { newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { KEY_WORK } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import type { ControlStore } from './control-client.ts';
import { type Pause, standingPauses, withPause, withResume } from './pause.ts';
import type { StandingControl } from './standing-control.ts';

/** How long an answer waits for the audit trail, in milliseconds. */
const AUDIT_WAIT_MS = 5_000;

/** Who orders it, and why. */
export interface ControlOrder {
  readonly caller: NonNullable<AuditEntry['caller']>;
  readonly correlationId: string;
  readonly reason: string;
  readonly ticket?: string | undefined;
  /** Key identifier without a version; absent: all keys. */
  readonly key?: string | undefined;
  /** Who approved it; `none: …` where it was done past the approval that the app asks for. Absent: none was asked for. */
  readonly approval?: object | `none: ${string}` | undefined;
}

export interface ControlPorts {
  readonly controlStore: ControlStore;
  readonly control: Pick<StandingControl, 'learn'>;
  readonly settings: { readonly vaults: Pick<ManagedVaults, 'key'> };
  readonly keys: Pick<Keys, 'listVersions'>;
  readonly queue: Pick<WorkQueue, 'send'>;
  readonly audit: RecordAudit;
  readonly newId: () => string;
  readonly now: () => Date;
}

/** What an order has come to. */
export interface Ordered {
  /** Every pause that stands now. */
  readonly pauses: readonly Pause[];
  /** Pauses that the order has ended, or taken the place of. */
  readonly ended: readonly Pause[];
  /** `written`, or why the audit trail could not be written; the order holds all the same. */
  readonly audit: string;
  readonly warnings: readonly string[];
}

/** Has every move, and every rotation by the app, wait. @throws the SDK's error when it cannot be kept: nothing is paused */
export async function orderPause(
  order: ControlOrder & { readonly until?: Date | undefined },
  ports: ControlPorts,
  log: Log,
): Promise<Ordered> {
  const { key, reason, until } = order;
  const now = ports.now();
  const pause: Pause = {
    id: ports.newId(),
    ...(key ? { key } : {}),
    reason,
    by: byOf(order),
    since: now.toISOString(),
    ...(until ? { until: until.toISOString() } : {}),
  };
  let before: readonly Pause[] = [];
  const state = await ports.controlStore.update((current) => {
    before = standingPauses(current, now);
    return withPause(current, pause, now);
  });
  ports.control.learn(state);
  const pauses = standingPauses(state, now);
  const audit = await record('Paused', pause.id, order, { until: pause.until }, ports, log);
  return { pauses, ended: missing(before, pauses), audit, warnings: [] };
}

/**
 * Ends a pause; with a key, what its rotation is held for is overruled as well, and the key is looked at at once.
 *
 * @throws the SDK's error when it cannot be kept: everything stays paused
 */
export async function orderResume(order: ControlOrder, ports: ControlPorts, log: Log): Promise<Ordered> {
  const now = ports.now();
  const { key, reason } = order;
  const id = ports.newId();
  const version = key && (await versionOf(key, ports));
  const about = { ...(key ? { key } : {}), ...(version ? { version } : {}) };
  const going = { id, ...about, reason, by: byOf(order), at: now.toISOString() };
  let before: readonly Pause[] = [];
  const state = await ports.controlStore.update((current) => {
    before = standingPauses(current, now);
    return withResume(current, going);
  });
  ports.control.learn(state);
  const pauses = standingPauses(state, now);
  const ended = missing(before, pauses);
  const warnings: string[] = [];
  if (key) {
    const cause = { by: 'operator', ref: order.correlationId.slice(0, 200), since: now.toISOString() };
    try {
      await ports.queue.send(KEY_WORK, { kind: 'key', key, cause, attempt: 0 });
    } catch (error) {
      const why = messageOf(error).split('\n')[0];
      warnings.push(`The key is not looked at at once; what waits goes on by itself within a minute or two (${why}).`);
    }
  }
  const audit = await record('Resumed', id, order, { ended: ended.map((pause) => pause.id) }, ports, log);
  return { pauses, ended, audit, warnings };
}

/** The version that everything moves onto now; undefined: there is none, or it cannot be read. */
async function versionOf(id: string, { settings, keys, now }: ControlPorts): Promise<string | undefined> {
  const key = settings.vaults.key(id);
  const versions = key && (await keys.listVersions(key).catch(() => []));
  return versions && newestUsableVersion(versions, now())?.version;
}

function byOf({ caller: { objectId, name } }: ControlOrder): Pause['by'] {
  return { objectId, ...(name ? { name } : {}) };
}

function missing(before: readonly Pause[], after: readonly Pause[]): Pause[] {
  return before.filter(({ id }) => !after.some((pause) => pause.id === id));
}

async function record(
  reason: 'Paused' | 'Resumed',
  id: string,
  { caller, correlationId, reason: why, ticket, key, approval }: ControlOrder,
  more: Readonly<Record<string, unknown>>,
  { audit }: Pick<ControlPorts, 'audit'>,
  log: Log,
): Promise<string> {
  const about = { ...(key ? { key } : {}), caller: caller.objectId, correlationId, why, ...more };
  log({ level: 'warning', reason, message: REASONS[reason], ...about });
  const outcome: AuditOutcome = await audit(
    {
      id: `fleet.control/${id}`,
      action: reason === 'Paused' ? 'fleet.pause' : 'fleet.resume',
      reason,
      resource: key ?? EVERY_KEY,
      caller,
      correlationId,
      details: { why, ticket, ...(approval ? { approval } : {}), ...more },
    },
    AUDIT_WAIT_MS,
  );
  return 'written' in outcome ? 'written' : outcome.failed;
}
