import { count } from '../../text.ts';
/** What a fleet is watched for. */
export interface WatchedFleet {
  /** By key identifier. */
  readonly rotations: ReadonlyMap<string, WatchedRotation>;
  /** Revoked keys, with how many accounts stand still for each, by what they are called. */
  readonly revocations: ReadonlyMap<string, { readonly accounts: number; readonly since?: string | undefined }>;
  /** Causes of the newest drift report, by their ids. */
  readonly causes: ReadonlyMap<string, WatchedCause>;
  /** How the accounts stand, in one sentence. */
  readonly health: string;
}

export interface WatchedRotation {
  readonly state: string;
  readonly moved: number;
  readonly waiting: number;
  readonly failed: number;
  readonly expectedEnd?: string | undefined;
}

export interface WatchedCause {
  readonly reason: string;
  readonly severity: string;
  readonly affected: number;
  readonly label: string;
}

/** Something that is otherwise than it was at the look before. */
export interface FleetEvent {
  readonly kind: 'rotation' | 'revocation' | 'finding' | 'health';
  readonly change: 'begun' | 'changed' | 'ended';
  /** Key identifier, or id of a cause; empty for the fleet as a whole. */
  readonly about: string;
  readonly text: string;
}

/**
 * What has changed between two looks.
 *
 * @param before undefined: it is the first, and what goes on is told, not what is over
 */
export function fleetChanges(before: WatchedFleet | undefined, after: WatchedFleet): FleetEvent[] {
  const health = before?.health === after.health ? [] : [{ ...HEALTH, text: after.health }];
  return [
    ...health,
    ...differences('revocation', before?.revocations, after.revocations, (key, { accounts, since }) =>
      [`${key} is revoked`, since && ` since ${since}`, `: ${count(accounts, 'account')}`].filter(Boolean).join(''),
    ),
    ...differences('rotation', before?.rotations ?? new Map(), after.rotations, (key, one) => {
      const end = one.waiting > 0 && one.expectedEnd ? `, until ${one.expectedEnd}` : '';
      return `${key} is ${one.state}: ${one.moved} moved, ${one.waiting} waiting, ${one.failed} failed${end}`;
    }).filter(({ about, change }) => before || change !== 'begun' || after.rotations.get(about)?.state !== 'finished'),
    ...differences('finding', before?.causes, after.causes, (_, { severity, reason, label, affected }) => {
      return `${severity} ${reason}${label === '' ? '' : ` (${label})`}: ${count(affected, 'resource')}`;
    }),
  ];
}

const HEALTH = { kind: 'health', change: 'changed', about: '' } as const;

function differences<T extends object>(
  kind: FleetEvent['kind'],
  before: ReadonlyMap<string, T> = new Map(),
  after: ReadonlyMap<string, T>,
  tell: (about: string, thing: T) => string,
): FleetEvent[] {
  const now = [...after].flatMap(([about, thing]): FleetEvent[] => {
    const known = before.get(about);
    const [text, was] = [tell(about, thing), known && tell(about, known)];
    if (text === was) return [];
    return [{ kind, change: known ? 'changed' : 'begun', about, text }];
  });
  const over = [...before].flatMap(([about, thing]): FleetEvent[] =>
    after.has(about) ? [] : [{ kind, change: 'ended', about, text: `no more: ${tell(about, thing)}` }],
  );
  return [...now, ...over];
}
