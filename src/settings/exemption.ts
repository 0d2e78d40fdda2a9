import { z } from 'zod';
import { scopeResource } from '../azure/resource-id.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { dayOf } from '../time/duration.ts';
import type { Fixable } from './fixable.ts';
import { globMatches } from './glob.ts';
import { json } from './setting.ts';

/** Findings that are exempt for a time, and why. They are shown, and neither counted nor fixed. */
const exemption = z.strictObject({
  resource: z
    .string()
    .trim()
    .min(1)
    .max(600)
    .describe('ARM id or key identifier of the resource; `*` stands for any characters.'),
  code: z.custom<Reason>((value) => typeof value === 'string' && value in REASONS, 'is not a reason code'),
  reason: z.string().trim().min(3).max(500).describe('Why this is exempt.'),
  until: z.iso.date().describe('Last day on which it holds (UTC).'),
});

type Exemption = z.output<typeof exemption>;

/** The value of `CMK_EXEMPTIONS`: a JSON array. */
export const EXEMPTIONS = json.pipe(z.array(exemption, 'is not a JSON array').max(500));

/** The exemption that holds for a finding now. One whose last day is over holds no more. */
export function exemptionOf(
  finding: { readonly reason: Reason; readonly resource: string },
  exemptions: readonly Exemption[],
  now: Date,
): Exemption | undefined {
  return exemptions.find(
    (candidate) =>
      candidate.code === finding.reason &&
      !hasEnded(candidate, now) &&
      globMatches(candidate.resource, finding.resource),
  );
}

/** What the drift check finds of uses of a key that are not on its newest version: without these it moves nothing. */
const MOVES = [
  'StaleKeyVersion',
  'ScopeStaleKeyVersion',
  'LaggingAutomaticVersion',
] as const satisfies readonly Fixable[];

/** A use of a key, by an account or by one of its encryption scopes. */
interface ExemptibleUse {
  /** ARM id of the account. */
  readonly account: string;
  readonly scope?: string;
  readonly mode: 'pinned' | 'automatic';
}

/** The uses of a key that the drift check leaves where they are, whether or not it finds anything about them now. */
export function exemptUses(exemptions: readonly Exemption[], now: Date): (use: ExemptibleUse) => boolean {
  // There may be hundreds, and thousands of uses.
  const standing = exemptions.filter((one) => MOVES.some((code) => code === one.code) && !hasEnded(one, now));
  return (use) => {
    const { account, scope } = use;
    const resource = scope === undefined ? account : scopeResource(account, scope);
    return exemptionOf({ reason: behindAs(use), resource }, standing, now) !== undefined;
  };
}

/** The uses that the drift check does not move: what is exempt, and what CMK_AUTOFIX does not name. */
export function usesLeft(
  { autofix, exemptions }: { readonly autofix: readonly string[]; readonly exemptions: readonly Exemption[] },
  now: Date,
): (use: ExemptibleUse) => boolean {
  const isExempt = exemptUses(exemptions, now);
  return (use) => !autofix.includes(behindAs(use)) || isExempt(use);
}

/** As what it is found, when it is not on the newest version of its key. */
function behindAs({ scope, mode }: ExemptibleUse): (typeof MOVES)[number] {
  if (scope !== undefined) return 'ScopeStaleKeyVersion';
  return mode === 'pinned' ? 'StaleKeyVersion' : 'LaggingAutomaticVersion';
}

export function hasEnded({ until }: Pick<Exemption, 'until'>, now: Date): boolean {
  return dayOf(now) > until;
}
