import { known } from '../azure/read-or-why.ts';
import { type Health, type HealthFinding, healthOf } from '../fleet/health.ts';
import type { KeyAccess } from '../identities/key-access.ts';
import { KEY_CHECKS } from './checks/checks.ts';
import { causeIdOf, evaluate } from './checks/evaluate.ts';
import type { AccountSubject, KeySubject, Rules, VaultSubject } from './checks/subjects.ts';
import { VAULT_CHECKS } from './checks/vault-checks.ts';
import { findingSince, type SinceEvidence } from './finding-since.ts';
import type { Finding } from './report.ts';
import type { SubscriptionResult } from './store/subscription-result.ts';

type HealthCount = SubscriptionResult['health'][number];

/** Findings about a key or a vault that stop what uses it. */
const KEY_STOPS = KEY_CHECKS.filter(({ reason }) => reason === 'RevocationOpen' || reason === 'KeyOperationsMissing');
const VAULT_STOPS = VAULT_CHECKS.filter(({ reason }) => reason === 'VaultUnreachable');

interface HealthSources {
  readonly vaultOf: (uri: string) => VaultSubject | undefined;
  readonly rules: Rules;
  /** What the newest drift report has about a resource, which tells since when; absent: there is none to go by. */
  readonly reported?: SinceEvidence['reported'];
}

/** How an account stands that has just been looked at, by what the checks found of it, of its keys, and of their vaults. */
export function healthOfSubject(
  { use, key, access, scopes }: AccountSubject,
  found: readonly Omit<Finding, 'since'>[],
  { vaultOf, rules, reported = () => [] }: HealthSources,
): Health {
  const keys = new Set([key, ...scopes.map((scope) => scope.key)].filter((one) => one !== undefined));
  const vaults = new Set([...keys].flatMap((one) => vaultOf(one.key.vault.uri) ?? []));
  const used = use !== undefined || scopes.some((scope) => scope.use !== undefined);
  const byId = new Map([...keys].map((one) => [one.key.id.toLowerCase(), one]));
  const versionsOf = (id: string) => known(byId.get(id.toLowerCase())?.versions) ?? [];
  const evidence = [
    ...found,
    ...[...keys].flatMap((one) => keyEvidence(one, rules)),
    ...[...vaults].flatMap((vault) => evaluate(VAULT_STOPS, vault, vault.vault.id, rules)),
    ...[{ key, access }, ...scopes].flatMap((of) => untold(of.key, of.access)),
  ].map(
    (one): HealthFinding => ('id' in one ? { ...one, since: findingSince(one, { versionsOf, reported, rules }) } : one),
  );
  return healthOf(
    {
      encryptedBy: keys.size > 0 ? 'managedVault' : used ? 'otherVault' : 'microsoft',
      findings: evidence,
      checkedOn: rules.now,
      probe: undefined,
    },
    rules.now,
  );
}

/** What a key, as it was read, means for whatever uses it. */
export function keyEvidence(subject: KeySubject, rules: Rules): readonly (HealthFinding | Omit<Finding, 'since'>)[] {
  if ('unread' in subject.versions) return [notTold('VaultUnreadable', subject.key.id)];
  return evaluate(KEY_STOPS, subject, subject.key.id, rules);
}

/** Whether the identity may use the key could not be read; another tenant never shows it. */
function untold(key: KeySubject | undefined, access: KeyAccess | undefined): HealthFinding[] {
  const isUntold = access?.ready === 'unknown' && access.principalId !== undefined;
  return isUntold && key ? [notTold('Unreadable', key.key.vault.id)] : [];
}

function notTold(reason: 'Unreadable' | 'VaultUnreadable', resource: string): HealthFinding {
  const about = [resource];
  return { reason, severity: 'error', cause: { id: causeIdOf(reason, about), reason, about } };
}

/** How many accounts stand alike. */
export class HealthCounts {
  readonly #counts = new Map<string, HealthCount>();

  /** One that uses no key and is not missed for it is nobody's matter. */
  add({ state, cause }: Health): void {
    if (state === 'NotManaged' && !cause) return;
    const id = `${state} ${cause?.id}`;
    const known = this.#counts.get(id);
    if (known) known.accounts += 1;
    else
      this.#counts.set(id, { state, ...(cause ? { cause: { ...cause, about: [...cause.about] } } : {}), accounts: 1 });
  }

  toJSON(): HealthCount[] {
    return [...this.#counts.values()];
  }
}
