import { describeMoveDenial, formatExempt } from '../../accounts/move-denials.ts';
import { getKnown } from '../../azure/read-or-why.ts';
import { parseEvenDays } from '../../formats/duration.ts';
import type { RotationPolicy } from '../../keys/key-client.ts';
import type { KeyDenial, KeyRule } from '../../vaults/key-policies.ts';
import type { Found } from './check.ts';
import { formatSetLifetime, USUAL_LIFETIME_DAYS } from './commands.ts';
import { findVersionInForce, isImported } from './key-checks.ts';
import type { AccountSubject, KeySubject, Rules } from './subjects.ts';

/**
 * Key Vault's minimum lifetime, and the minimum time between an action and the creation or expiry of a version. Days.
 */
const LEAST = { lifetime: 28, apart: 7 };

/** The app cannot accelerate a denied automatic account either, but Storage moves it. */
export function findPolicyBlocksMove({ account, use, key, moveDenials = [] }: AccountSubject): readonly Found[] {
  if (!use || !key) return [];

  const isPinned = use.pinned !== undefined;

  return moveDenials.map((denial) => ({
    part: `${denial.assignment} ${denial.definition}`.toLowerCase(),
    severity: isPinned ? 'warning' : 'advice',
    is: `${describeMoveDenial(denial)}${isPinned ? '' : ' Storage moves it itself, within a day.'}`,
    command: formatExempt(account.id, denial.assignment, denial.reference),
    // One repair for all accounts: another assignment.
    cause: { about: [denial.assignment] },
  }));
}

/**
 * Predicts a denied rotation from the policies of the vault, because Microsoft does not document Key Vault's response
 * to one. A rotation copies type and size. The rotation policy sets the lifetime of the new version; years and months
 * count as 365 and 30 days, because Microsoft does not document how Key Vault counts them.
 */
export function findPolicyBlocksRotation(subject: KeySubject, { now }: Rules): readonly Found[] {
  const { key, versions, policy, material, denials = [] } = subject;
  const newest = findVersionInForce(versions, now);

  // Key Vault cannot rotate imported key material.
  if (!newest || isImported(newest)) return [];

  const kind = getKnown(material);
  const rotation = getKnown(policy);
  const days = rotation?.expiresIn === undefined ? Number.POSITIVE_INFINITY : parseEvenDays(rotation.expiresIn);

  return denials.flatMap(({ assignment, reference, rule }): Found[] => {
    const found = (next: string, command: Found['command']): Found[] => [
      {
        part: `${assignment.id} ${reference}`.toLowerCase(),
        is: `The policy assignment "${assignment.name}" denies ${rule.denied}, and the next version would ${next}.`,
        shouldBe: 'Azure Policy allows the next version.',
        command,
        cause: { about: [assignment.id, key.vault.id] },
      },
    ];

    const exempt = formatExempt(key.vault.id, assignment.id, reference);

    if (kind && rule.deniesMaterial?.(kind)) {
      return found(`be ${kind.type}${kind.size ? ` of ${kind.size} bits` : ''}, like this version`, exempt);
    }

    if (!rotation || days === undefined || !deniesLifetime(rule, days)) return [];

    const lifetime = allowedLifetime(denials, rotation);
    const next = Number.isFinite(days)
      ? `expire after ${Math.round(days)} days (${rotation.expiresIn} in the rotation policy of the key)`
      : 'never expire: the rotation policy of the key sets no lifetime';

    return found(next, lifetime === undefined ? exempt : formatSetLifetime(key, lifetime));
  });
}

/** Azure evaluates the policy after the creation. An expiry exactly at the minimum is too early by then. */
function deniesLifetime({ within = 0, beyond = Number.POSITIVE_INFINITY }: KeyRule, days: number): boolean {
  return days <= within || days > beyond;
}

/**
 * A lifetime in days that satisfies all denials of the vault and the schedule of the rotation policy; undefined if none
 * does.
 */
function allowedLifetime(denials: readonly KeyDenial[], rotation: RotationPolicy): number | undefined {
  const { afterCreate, beforeExpiry, notifyBeforeExpiry } = rotation;
  const acts = [afterCreate, beforeExpiry, notifyBeforeExpiry].map((one) => (one ? (parseEvenDays(one) ?? 0) : 0));
  const least = Math.max(
    LEAST.lifetime,
    ...acts.map((days) => Math.ceil(days) + LEAST.apart),
    ...denials.map(({ rule: { within = 0 } }) => Math.floor(within) + 1),
  );
  const most = Math.min(...denials.map(({ rule: { beyond = Number.POSITIVE_INFINITY } }) => Math.floor(beyond)));
  return least <= most ? Math.min(most, Math.max(least, USUAL_LIFETIME_DAYS)) : undefined;
}
