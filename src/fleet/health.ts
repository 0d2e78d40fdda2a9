import { compareText } from '../text.ts';
import { DAY_MS } from '../time/spans.ts';
import { HEALTH_STATES, type HealthState } from './health-states.ts';

/** What is behind it: what one act would mend, with others that have the same. */
export interface HealthCause {
  /** That of the drift report, where it has it. */
  readonly id: string;
  /** Reason code. */
  readonly reason: string;
  /** ARM ids and key identifiers. */
  readonly about: readonly string[];
}

export interface Health {
  readonly state: HealthState;
  readonly cause?: HealthCause;
  /** Since when, as far as that is known (ISO 8601). */
  readonly since?: string;
}

/** What a check found of the account, its scopes, its keys, their vaults, or its subscription. */
export interface HealthFinding {
  readonly reason: string;
  readonly severity: 'error' | 'warning' | 'advice';
  readonly cause: HealthCause;
  /** ISO 8601; absent: only this look knows of it. */
  readonly since?: string | undefined;
  /** Somebody has said that it is meant to be so. */
  readonly exemption?: object | undefined;
}

/** What the file service of the account showed when it was last asked; times in ISO 8601. */
export interface HealthProbe {
  readonly state: 'blocked' | 'open' | 'unknown';
  readonly since: string;
  readonly checkedOn: string;
}

export interface HealthEvidence {
  /** Whether it, or an encryption scope of it, uses a key of a vault that the app manages, or of another. */
  readonly encryptedBy: 'managedVault' | 'otherVault' | 'microsoft';
  readonly findings: readonly HealthFinding[];
  /** Start of the last check that looked at it; undefined: none has. */
  readonly checkedOn: Date | undefined;
  readonly probe: HealthProbe | undefined;
}

/** A check, and what a file service showed, tell nothing any more after so long. Milliseconds. */
const CHECK_MS = 2 * DAY_MS;
const PROBE_MS = DAY_MS;

/** What a finding means for data, by its reason or that of its cause; of several, the first of these counts. */
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

/** How an account stands, by what is known of it. */
export function healthOf(evidence: HealthEvidence, now: Date): Health {
  const worst = evidence.findings
    .flatMap((finding) => meaningOf(finding) ?? [])
    .sort((a, b) => a.rank - b.rank || compareText(a.oldest, b.oldest))
    .find(({ state }) => evidence.encryptedBy !== 'microsoft' || state === 'NotManaged');
  if (evidence.encryptedBy !== 'managedVault') return found('NotManaged', worst?.state === 'NotManaged' ? worst : {});
  const { probe } = evidence;
  const shown = probe && age(probe.checkedOn, now) <= PROBE_MS ? probe : undefined;
  // Why it is blocked is known better from what was found, if anything was.
  const isTold = worst && HEALTH_STATES.indexOf(worst.state) <= HEALTH_STATES.indexOf('NoAccess');
  if (!isTold && shown?.state === 'blocked') {
    return { state: 'Blocked', cause: without('FileServiceRefuses'), since: shown.since };
  }
  if (worst && !(worst.state === 'Unknown' && shown?.state === 'open')) return found(worst.state, worst);
  if (shown?.state === 'open') return { state: 'Serving', since: shown.since };
  const { checkedOn } = evidence;
  if (checkedOn && now.getTime() - checkedOn.getTime() <= CHECK_MS) return { state: 'Serving' };
  return { state: 'Unknown', cause: without('NotChecked') };
}

/** What a finding means for the accounts that it is about; undefined: nothing for whether they serve. */
export function findingState(finding: HealthFinding): HealthState | undefined {
  return meaningOf(finding)?.state;
}

interface Meaning {
  readonly state: HealthState;
  readonly rank: number;
  readonly cause: HealthCause;
  readonly since: string | undefined;
  /** The same, with what is not known behind all that is. */
  readonly oldest: string;
}

/** Undefined: it says nothing about whether data can be read, or on which version it is. */
function meaningOf({ reason, severity, cause, since, exemption }: HealthFinding): Meaning | undefined {
  const code = MEANING.has(cause.reason) ? cause.reason : reason;
  // Whether a perimeter lets the account in is not seen in the vault: whoever has seen it exempts that.
  const isUnseen = code === 'VaultUnreachable' && severity !== 'error';
  const meaning = isUnseen ? UNSEEN : MEANING.get(code);
  if (!meaning || (isUnseen && exemption)) return undefined;
  // What could not be read beside matters to no data.
  if (meaning.state === 'Unknown' && severity === 'advice') return undefined;
  const { id, about } = cause;
  return { ...meaning, cause: { id, reason: code, about }, since, oldest: since ?? '~' };
}

function found(state: HealthState, { cause, since }: Partial<Pick<Meaning, 'cause' | 'since'>>): Health {
  return { state, ...(cause ? { cause } : {}), ...(since ? { since } : {}) };
}

/** One that has nothing to be mended by one act. */
function without(reason: string): HealthCause {
  return { id: reason, reason, about: [] };
}

function age(then: string, now: Date): number {
  return now.getTime() - Date.parse(then);
}
