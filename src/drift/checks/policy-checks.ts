import { known } from '../../azure/read-or-why.ts';
import type { RotationPolicy } from '../../keys/key-client.ts';
import type { KeyVersion } from '../../keys/key-versions.ts';
import { rotationDue } from '../../rotation/rotation-due.ts';
import { evenDays, shift } from '../../time/duration.ts';
import { DAY_MS } from '../../time/spans.ts';
import { deniesMaterial, deniesVersion, type NextVersion } from '../../vaults/key-demands.ts';
import type { KeyDenial } from '../../vaults/key-policies.ts';
import type { Found } from './check.ts';
import { exemptVault, setLifetime, USUAL_LIFETIME_DAYS } from './commands.ts';
import { imported, inForce } from './key-checks.ts';
import type { KeySubject, Rules } from './subjects.ts';

/**
 * Key Vault's minimum lifetime, and the minimum time between an action and the creation or expiry of a version. Days.
 */
const LEAST = { lifetime: 28, apart: 7 };
/** For a denial that depends on the day or on Key Vault's way of counting. */
const DOUBT = 'Whether Azure Policy denies it depends on the day, and on how Key Vault counts years and months.';

/**
 * Predicts a denied rotation from the policies of the vault, because Microsoft does not document Key Vault's response
 * to one. A rotation copies type and size. The rotation policy sets the lifetime of the new version.
 */
export function policyBlocksRotation(subject: KeySubject, { now }: Rules): readonly Found[] {
  const { key, versions, policy, material, denials = [] } = subject;
  const newest = inForce(versions, now);
  // Key Vault cannot rotate imported key material.
  if (!newest || imported(newest)) return [];
  const kind = known(material);
  const rotation = known(policy);
  return denials.flatMap((denial): Found[] => {
    const { assignment, reference, demand } = denial;
    const part = [assignment.id, reference, demand.kind].join(' ').toLowerCase();
    const shouldBe = 'Azure Policy allows the next version.';
    const cause = { about: [assignment.id, key.vault.id] };
    const exempt = exemptVault(key.vault, assignment.id, reference);
    if (kind && deniesMaterial(demand, kind)) {
      const like = `${kind.type}${kind.size ? ` of ${kind.size} bits` : ''}`;
      const is = `${denies(denial)}, and the next version would be ${like}, like this version.`;
      return [{ part, is, shouldBe, command: exempt, cause }];
    }
    if (!rotation) return [];
    const next = nextVersions(newest, rotation, now);
    const denied = next.filter((version) => deniesVersion(demand, version));
    const [first] = denied;
    if (!first) return [];
    const lifetime = allowedLifetime(denials, rotation);
    const command = lifetime === undefined ? exempt : setLifetime(key, lifetime);
    const found: Omit<Found, 'is'> = { part, shouldBe, command, cause };
    const is = `${denies(denial)}, and the next version would ${fate(first, rotation)}.`;
    return denied.length === next.length
      ? [{ ...found, is }]
      : [{ ...found, is: `${is} ${DOUBT}`, severity: 'advice' }];
  });
}

/**
 * The versions that a rotation would create, now and when the key is due. Returns two results per time, because Microsoft
 * does not document how Key Vault counts years and months: by the calendar, or as 365 and 30 days. Empty if the lifetime
 * is unknown.
 */
function nextVersions(newest: KeyVersion, rotation: RotationPolicy, now: Date): readonly NextVersion[] {
  const { expiresIn } = rotation;
  const due = rotationDue(newest, rotation);
  return [now, ...(due && due > now ? [due] : [])].flatMap((createdOn): NextVersion[] => {
    if (expiresIn === undefined) return [{ createdOn, expiresOn: undefined }];
    const byCalendar = shift(createdOn, expiresIn, 1);
    const evenly = evenDays(expiresIn);
    if (!byCalendar || evenly === undefined) return [];
    return [byCalendar, new Date(createdOn.getTime() + evenly * DAY_MS)].map((expiresOn) => ({ createdOn, expiresOn }));
  });
}

/**
 * A lifetime in days that satisfies all denials of the vault and the schedule of the rotation policy; undefined if none
 * does.
 */
function allowedLifetime(denials: readonly KeyDenial[], rotation: RotationPolicy): number | undefined {
  const { afterCreate, beforeExpiry, notifyBeforeExpiry } = rotation;
  const demands = denials.map(({ demand }) => demand);
  const acts = [afterCreate, beforeExpiry, notifyBeforeExpiry].map((one) => (one ? (evenDays(one) ?? 0) : 0));
  const least = Math.max(
    LEAST.lifetime,
    ...acts.map((days) => Math.ceil(days) + LEAST.apart),
    ...demands.map((demand) => (demand.kind === 'remaining' ? Math.floor(demand.days) + 1 : 0)),
  );
  const most = Math.min(...demands.map((demand) => (demand.kind === 'validity' ? Math.floor(demand.days) : Infinity)));
  return least <= most ? Math.min(most, Math.max(least, USUAL_LIFETIME_DAYS)) : undefined;
}

function denies({ assignment, demand }: KeyDenial): string {
  const by = `The policy assignment "${assignment.name}" denies`;
  switch (demand.kind) {
    case 'expiry':
      return `${by} keys without an expiry`;
    case 'remaining':
      return `${by} keys that expire within ${demand.days} days (minimumDaysBeforeExpiration)`;
    case 'validity':
      return `${by} keys that are valid for more than ${demand.days} days (maximumValidityInDays)`;
    case 'size':
      return `${by} RSA keys of fewer than ${demand.bits} bits (minimumRSAKeySize)`;
    case 'types':
      return `${by} keys of types other than ${demand.allowed.join(', ')} (allowedKeyTypes)`;
    case 'hardware':
      return `${by} keys without hardware protection`;
  }
}

function fate({ createdOn, expiresOn }: NextVersion, { expiresIn }: RotationPolicy): string {
  if (!expiresOn) return 'never expire: the rotation policy of the key sets no lifetime';
  const days = Math.round((expiresOn.getTime() - createdOn.getTime()) / DAY_MS);
  return `expire after ${days} days (${expiresIn} in the rotation policy of the key)`;
}
