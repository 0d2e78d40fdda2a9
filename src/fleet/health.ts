import { compareText } from '../text.ts';
import { DAY_MS } from '../time/spans.ts';
import { HEALTH_STATES, type HealthState } from './health-states.ts';

/** What causes an account's state; one fix repairs all accounts with the same cause. */
export interface HealthCause {
  /** Id of the cause in the drift report, where it is there. */
  readonly id: string;
  /** Reason code. */
  readonly reason: string;
  /** ARM ids and key identifiers. */
  readonly about: readonly string[];
}

export interface Health {
  readonly state: HealthState;
  readonly cause?: HealthCause;
  /** ISO 8601; absent: not known. */
  readonly since?: string;
}

/** A finding about the account, its scopes, its keys, their vaults, or its subscription. */
export interface HealthFinding {
  readonly reason: string;
  readonly severity: 'error' | 'warning' | 'advice';
  readonly cause: HealthCause;
  /** ISO 8601; absent: not known. */
  readonly since?: string | undefined;
  /** Set where an operator exempted it. */
  readonly exemption?: object | undefined;
}

/** Result of the last probe of the account's file service; times in ISO 8601. */
interface HealthProbe {
  readonly state: 'blocked' | 'open' | 'unknown';
  readonly since: string;
  readonly checkedOn: string;
}

export interface HealthEvidence {
  /** Whether it, or an encryption scope of it, uses a key of a vault that the app manages, or of another. */
  readonly encryptedBy: 'managedVault' | 'otherVault' | 'microsoft';
  readonly findings: readonly HealthFinding[];
  /** Start of the last check that covered it; undefined: none has. */
  readonly checkedOn: Date | undefined;
  readonly probe: HealthProbe | undefined;
}

/** A check, and a probe, are ignored once they are older. Milliseconds. */
const CHECK_MS = 2 * DAY_MS;
const PROBE_MS = DAY_MS;

/** State by the reason of a finding, or of its cause; of several findings, the first in this table counts. */
const MEANINGS: readonly (readonly [reason: string, state: HealthState])[] = [
  ['RevocationOpen', 'Revoked'],
  ['VaultNotFound', 'Blocked'],
  ['KeyDeleted', 'Blocked'],
  ['KeyDisabled', 'Blocked'],
  ['KeyOperationsMissing', 'Blocked'],
  ['IdentityDeleted', 'NoAccess'],
  ['IdentityMissing', 'NoAccess'],
  ['IdentityWithoutRole', 'NoAccess'],
  ['TenantMismatch', 'NoAccess'],
  ['VaultUnreachable', 'NoAccess'],
  ['IdentityHasNoAccess', 'NoAccess'],
  ['NotCustomerManaged', 'NotManaged'],
  ['NoLongerCustomerManaged', 'NotManaged'],
  ['UnmanagedVault', 'NotManaged'],
  ['StaleKeyVersion', 'Stale'],
  ['ScopeStaleKeyVersion', 'Stale'],
  ['LaggingAutomaticVersion', 'Stale'],
  ['MissingPermission', 'Unknown'],
  ['Unreadable', 'Unknown'],
  ['VaultUnreadable', 'Unknown'],
];
const UNSEEN = { state: 'Unknown', rank: MEANINGS.length } as const;
const MEANING = new Map(MEANINGS.map(([reason, state], rank) => [reason, { state, rank }]));

/** Evaluates the health of an account. */
export function healthOf(evidence: HealthEvidence, now: Date): Health {
  const worst = evidence.findings
    .flatMap((finding) => meaningOf(finding) ?? [])
    .sort((a, b) => a.rank - b.rank || compareText(a.oldest, b.oldest))
    .find(({ state }) => evidence.encryptedBy !== 'microsoft' || state === 'NotManaged');
  if (evidence.encryptedBy !== 'managedVault')
    return healthBy('NotManaged', worst?.state === 'NotManaged' ? worst : {});
  const { probe } = evidence;
  const shown = probe && age(probe.checkedOn, now) <= PROBE_MS ? probe : undefined;
  // A finding names the cause of a block more precisely than the probe does.
  const isExplained = worst && HEALTH_STATES.indexOf(worst.state) <= HEALTH_STATES.indexOf('NoAccess');
  if (!isExplained && shown?.state === 'blocked') {
    return { state: 'Blocked', cause: causeWithoutResources('FileServiceRefuses'), since: shown.since };
  }
  if (worst && !(worst.state === 'Unknown' && shown?.state === 'open')) return healthBy(worst.state, worst);
  if (shown?.state === 'open') return { state: 'Serving', since: shown.since };
  const { checkedOn } = evidence;
  if (checkedOn && now.getTime() - checkedOn.getTime() <= CHECK_MS) return { state: 'Serving' };
  return { state: 'Unknown', cause: causeWithoutResources('NotChecked') };
}

/** State of the accounts that a finding is about; undefined: it does not affect whether they serve. */
export function findingState(finding: HealthFinding): HealthState | undefined {
  return meaningOf(finding)?.state;
}

interface Meaning {
  readonly state: HealthState;
  readonly rank: number;
  readonly cause: HealthCause;
  readonly since: string | undefined;
  /** `since` for sorting: an unknown time comes last. */
  readonly oldest: string;
}

/** Undefined: the finding affects neither whether data can be read nor its version. */
function meaningOf({ reason, severity, cause, since, exemption }: HealthFinding): Meaning | undefined {
  const code = MEANING.has(cause.reason) ? cause.reason : reason;
  // The vault does not show whether a perimeter admits the account: an operator who knows exempts the finding.
  const isUnseen = code === 'VaultUnreachable' && severity !== 'error';
  const meaning = isUnseen ? UNSEEN : MEANING.get(code);
  if (!meaning || (isUnseen && exemption)) return undefined;
  // An advice about an unreadable setting does not affect data.
  if (meaning.state === 'Unknown' && severity === 'advice') return undefined;
  const { id, about } = cause;
  return { ...meaning, cause: { id, reason: code, about }, since, oldest: since ?? '~' };
}

function healthBy(state: HealthState, { cause, since }: Partial<Pick<Meaning, 'cause' | 'since'>>): Health {
  return { state, ...(cause ? { cause } : {}), ...(since ? { since } : {}) };
}

/** A cause without resources. */
function causeWithoutResources(reason: string): HealthCause {
  return { id: reason, reason, about: [] };
}

function age(then: string, now: Date): number {
  return now.getTime() - Date.parse(then);
}
