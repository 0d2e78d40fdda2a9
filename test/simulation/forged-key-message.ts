import type { AuditEntry } from '../../src/audit/record.ts';
import type { Keys } from '../../src/keys/key-client.ts';
import { NO_ORDERS } from '../../src/orders/standing-orders.ts';
import type { KeyEffect } from '../../src/probe/effect.ts';
import { probeKey } from '../../src/probe/probe-work.ts';
import { type KeepRevokedServices, keepRevoked } from '../../src/revocation/keep-revoked.ts';
import type { KeptTrail, KeyTrail } from '../../src/revocation/key-trail.ts';
import { verifyRevocation } from '../../src/revocation/verify-revocation.ts';
import { type RotationPorts, rotateWhenDue } from '../../src/rotation/rotate-when-due.ts';
import { PARSERS } from '../../src/work/messages.ts';
import type { RequestKey, WorkQueue } from '../../src/work/work-queue-client.ts';
import { KEY, VAULTS } from '../support/keys.ts';

export interface TakeServices extends KeepRevokedServices {
  readonly keys: Keys;
  readonly keyTrail: KeyTrail;
  readonly keptTrail: KeptTrail;
  readonly requestKey: RequestKey;
  readonly queue: Pick<WorkQueue, 'send'>;
  /** What is kept of the probes. */
  readonly effects: { kept: KeyEffect | undefined };
  readonly leases?: RotationPorts['leases'];
}

/** What the function of `key-work` does with a message about the key, but for the uses of the key. */
export async function takeKeyMessage(message: unknown, services: TakeServices): Promise<string> {
  const work = PARSERS['key-work'](message);
  const key = 'key' in work ? VAULTS.key(work.key) : undefined;
  if (key?.id !== KEY.id) return 'none of this key';

  const log = () => {};
  const settings = { vaults: VAULTS, subscriptions: [] };

  switch (work.kind) {
    case 'revocation':
      return (await verifyRevocation(work, { ...services, settings }, log)).outcome;
    case 'probe': {
      const { effects } = services;
      const update = async (_: unknown, change: (current: KeyEffect | undefined) => KeyEffect) => {
        effects.kept = change(effects.kept);
        return effects.kept;
      };
      const store = { read: async () => effects.kept, update };
      const ports = { ...services, settings, effects: store } as unknown as Parameters<typeof probeKey>[1];

      return (await probeKey(work, ports, log)).outcome;
    }
    case 'rotate': {
      const lease = { state: undefined, held: () => true, save: async () => {}, release: async () => {} };
      const ports = {
        leases: { acquire: async () => lease },
        ...services,
        settings,
        orderStore: { read: async () => NO_ORDERS },
        dependents: async () => ({ answer: 'some' }),
      };

      return (await rotateWhenDue(work, ports as unknown as RotationPorts, log)).outcome;
    }
    default:
      await keepRevoked(KEY, services, log, { alsoLate: true });
      return 'done';
  }
}

/** Callers of the simulation, and one that never calls. */
export const PEOPLE = [1, 2, 91, 92, 9].map((n) => `${String(n).padStart(8, '0')}-0000-4000-8000-000000000000`);
const TIMES = ['1970-01-01T00:00:00.000Z', '2026-06-01T12:00:01.000Z', '9999-12-31T23:59:59.999Z'];
const OTHER_KEY = KEY.id.replace(KEY.name, 'other-key');

/** Of a kind, with every field that a version of the app has read, each with any of its values. */
export function forgedKeyMessage(one: <T>(of: readonly T[]) => T): object {
  const objectId = one(PEOPLE);
  const call = { caller: { objectId, appId: 'forged', kind: 'person' }, correlationId: 'forged', why: 'forged' };
  const revokedOn = one(TIMES);
  const since = one(TIMES);
  const did = one(['revoke', 'restore', 'drift', 'operator']);
  const revocation = { id: one(['id-1', 'id-2', 'forged']), revokedOn, revokedBy: objectId };

  return {
    kind: one(['revocation', 'revocation', 'probe', 'key', 'rotate']),
    key: one([KEY.id, KEY.id, KEY.id, OTHER_KEY]),
    cause: { by: did, ref: 'id-1', since },
    attempt: one([0, 5]),
    did,
    revocation,
    call,
    claimed: call,
    finished: true,
    records: true,
    versions: ['forged'],
    due: one(TIMES),
    since,
    expect: one(['open', 'blocked']),
    follows: one([`open ${since}`, 'forged']),
    hint: one([true, 'forged']),
    order: 'forged',
    tick: 1,
    lookedAgain: true,
    waiter: 1,
  };
}

/** What a call did, as it is to be recorded. */
interface Did {
  readonly part: { readonly do: string };
  readonly id: string;
  readonly objectId: string;
}

/** Revocations and restores are recorded in the name of a caller of that very one. */
export function judgeNames(entries: readonly AuditEntry[], calls: readonly Did[]): void {
  for (const { action, resource, caller, details } of entries) {
    const did = { 'key.revoke': 'revoke', 'key.restore': 'restore' }[action];
    if (!did) continue;
    const { id } = (details?.revocation ?? {}) as { readonly id?: string };
    const isOf = (call: Did) => call.part.do === did && call.objectId === caller?.objectId && call.id === id;
    if (resource !== KEY.id || !calls.some(isOf)) {
      throw new Error(`${action} of ${id} is recorded for ${caller?.objectId}.`);
    }
  }
}

/** What the app says of the effect of a change follows the change that the key shows. */
export function judgeEffect(effect: KeyEffect | undefined, stamps: readonly Date[]): void {
  if (!effect) return;
  const sinceMs = Date.parse(effect.change.since);
  const isShown = stamps.some((stamp) => sinceMs >= stamp.getTime() && sinceMs <= stamp.getTime() + 600_000);
  if (!isShown) throw new Error(`The effect of a change is told since ${effect.change.since}.`);
}
