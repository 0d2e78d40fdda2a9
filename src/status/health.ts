import { DAY_MS } from '../formats/spans.ts';
import { compareText } from '../formats/text.ts';
import { HEALTH_STATES, type HealthState } from './health-states.ts';

/** Cause of an account's state; one fix repairs all accounts with the same cause. */
export interface HealthCause {
  /** Id of the cause in the drift report, if the report includes it. */
  readonly id: string;
  readonly reason: string;
  /** ARM ids and key identifiers of the resources. */
  readonly about: readonly string[];
}

export interface Health {
  readonly state: HealthState;
  readonly cause?: HealthCause | undefined;
  /** ISO 8601; absent if not recorded. */
  readonly since?: string | undefined;
}

/** A finding about the account, its scopes, its keys, their vaults, or its subscription. */
export interface HealthFinding {
  readonly reason: string;
  readonly severity: 'error' | 'warning' | 'advice';
  readonly cause: HealthCause;
  /** ISO 8601; absent if not recorded. */
  readonly since?: string | undefined;
  /** Set if an operator exempted the finding. */
  readonly exemption?: object | undefined;
}

/** Result of the last probe of the account's file service. Times are in ISO 8601. */
interface HealthProbe {
  readonly state: 'blocked' | 'open' | 'unknown';
  readonly since: string;
  readonly checkedOn: string;
}

export interface HealthEvidence {
  /** Which kind of vault has the key of the account or of one of its encryption scopes. */
  readonly encryptedBy: 'managedVault' | 'otherVault' | 'microsoft';
  readonly findings: readonly HealthFinding[];
  /** Start of the last check that covered the account; undefined before the first check. */
  readonly checkedOn: Date | undefined;
  readonly probe: HealthProbe | undefined;
}

/** Maximum ages of a check and of a probe. Milliseconds. */
const CHECK_MS = 2 * DAY_MS;
const PROBE_MS = DAY_MS;

/** State by the reason of a finding or of its cause. The first row that matches a finding wins. */
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

export function determineHealth(evidence: HealthEvidence, now: Date): Health {
  const worst = evidence.findings
    .flatMap((finding) => meaningOf(finding) ?? [])
    .sort((a, b) => a.rank - b.rank || compareText(a.oldest, b.oldest))
    .find(({ state }) => evidence.encryptedBy !== 'microsoft' || state === 'NotManaged');
  if (evidence.encryptedBy !== 'managedVault') {
    return healthBy('NotManaged', worst?.state === 'NotManaged' ? worst : {});
  }

  const { probe } = evidence;
  const shown = probe && age(probe.checkedOn, now) <= PROBE_MS ? probe : undefined;

  // A finding names the cause of a block more precisely than a probe.
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

/** Returns the state of the finding's accounts; undefined if the finding does not affect their health. */
export function getFindingState(finding: HealthFinding): HealthState | undefined {
  return meaningOf(finding)?.state;
}

interface Meaning {
  readonly state: HealthState;
  readonly rank: number;
  readonly cause: HealthCause;
  readonly since: string | undefined;
  /** `since` for sorting: a missing time sorts last. */
  readonly oldest: string;
}

/** Returns undefined if the finding affects neither data access nor the key version. */
function meaningOf({ reason, severity, cause, since, exemption }: HealthFinding): Meaning | undefined {
  const code = MEANING.has(cause.reason) ? cause.reason : reason;

  // The vault does not show whether a network security perimeter admits the account, and one that was moved still
  // serves its keys. Operators can exempt the finding.
  const isUnseen = (code === 'VaultUnreachable' || code === 'VaultNotFound') && severity !== 'error';
  const meaning = isUnseen ? UNSEEN : MEANING.get(code);
  if (!meaning || (isUnseen && exemption)) return undefined;

  // Advice about an unreadable setting does not affect data access.
  if (meaning.state === 'Unknown' && severity === 'advice') return undefined;

  const { id, about } = cause;

  return { ...meaning, cause: { id, reason: code, about }, since, oldest: since ?? '~' };
}

function healthBy(state: HealthState, { cause, since }: Partial<Pick<Meaning, 'cause' | 'since'>>): Health {
  return { state, cause, since };
}

function causeWithoutResources(reason: string): HealthCause {
  return { id: reason, reason, about: [] };
}

function age(then: string, now: Date): number {
  return now.getTime() - Date.parse(then);
}
