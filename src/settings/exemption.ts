import { z } from 'zod';
import { formatScopeId } from '../azure/resource-id.ts';
import { REASONS, type Reason } from '../errors/reasons.ts';
import { formatDay } from '../formats/duration.ts';
import { isGlobMatch } from './glob.ts';
import { json } from './setting.ts';

/**
 * Findings that the app can fix. The first five repair the effects of a lost event or an interrupted rotation. The app
 * fixes them unless `CMK_AUTOFIX` excludes them, so a lost event has no lasting effect.
 */
export const FIXABLE = [
  'StaleKeyVersion',
  'ScopeStaleKeyVersion',
  'LaggingAutomaticVersion',
  'NearExpiry',
  'RotationIncomplete',
  'EventSubscriptionMissing',
  'EventSubscriptionMisaimed',
  'ChangesNotWatched',
  'RetirableVersion',
] as const satisfies readonly Reason[];

export type Fixable = (typeof FIXABLE)[number];

export const DEFAULT_AUTOFIX: readonly Fixable[] = FIXABLE.slice(0, 5);

export function isFixable(reason: string): reason is Fixable {
  return (FIXABLE as readonly string[]).includes(reason);
}

/**
 * Findings that are exempt until a date, with a reason. Reports show them, but the app neither counts nor fixes them.
 */
const exemption = z.strictObject({
  resource: z
    .string()
    .trim()
    .min(1)
    .max(600)
    .describe('ARM id or key identifier of the resource; `*` stands for any characters.'),
  code: z.custom<Reason>((value) => typeof value === 'string' && value in REASONS, 'is not a reason code'),
  reason: z.string().trim().min(3).max(500).describe('Reason of the exemption.'),
  until: z.iso.date().describe('Last day of the exemption (UTC).'),
});

type Exemption = z.output<typeof exemption>;

/** The value of `CMK_EXEMPTIONS`: a JSON array. */
export const EXEMPTIONS = json.pipe(z.array(exemption, 'is not a JSON array').max(500));

/** Returns the exemption of a finding that has not expired. */
export function findExemption(
  finding: { readonly reason: Reason; readonly resource: string },
  exemptions: readonly Exemption[],
  now: Date,
): Exemption | undefined {
  return exemptions.find(
    (candidate) =>
      candidate.code === finding.reason &&
      !hasEnded(candidate, now) &&
      isGlobMatch(candidate.resource, finding.resource),
  );
}

/** A use of a key by an account or by an encryption scope. */
interface ExemptibleUse {
  /** ARM id of the account. */
  readonly account: string;
  readonly scope?: string;
  readonly mode: 'pinned' | 'automatic';
}

/**
 * Whether the drift check must not move a use, even if the use has no finding now: the use is exempt, or CMK_AUTOFIX
 * does not name its finding.
 */
export function isExcluded(
  use: ExemptibleUse,
  { autofix, exemptions }: { readonly autofix: readonly string[]; readonly exemptions: readonly Exemption[] },
  now: Date,
): boolean {
  const { account, scope } = use;
  const reason = behindAs(use);
  const resource = scope === undefined ? account : formatScopeId(account, scope);
  return !autofix.includes(reason) || findExemption({ reason, resource }, exemptions, now) !== undefined;
}

/** Finding code of a use that is not on the newest version of its key. */
function behindAs({ scope, mode }: ExemptibleUse): Fixable {
  if (scope !== undefined) return 'ScopeStaleKeyVersion';
  return mode === 'pinned' ? 'StaleKeyVersion' : 'LaggingAutomaticVersion';
}

export function hasEnded({ until }: Pick<Exemption, 'until'>, now: Date): boolean {
  return formatDay(now) > until;
}
