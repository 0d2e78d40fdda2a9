import { z } from 'zod';
import { CHANGED_BY } from '../../events/resource-event.ts';

/** Worst first. */
export const SEVERITIES = ['error', 'warning', 'advice'] as const;
const severity = z
  .enum(SEVERITIES)
  .describe(
    '`error`: data is unavailable, will soon be, or lacks required protection. `warning`: will become an error, or removes a safeguard. `advice`: correct, but can be improved.',
  );
const count = z.int().nonnegative();

/** How the app fixes a finding, with the same functions as every other trigger. */
const action = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('account'), account: z.string(), location: z.string(), key: z.string() }),
  z.object({ kind: z.literal('events'), vault: z.string(), functionName: z.string() }),
  z.object({ kind: z.literal('watch'), subscription: z.string() }),
  z.object({ kind: z.literal('retire'), key: z.string(), version: z.string() }),
  z.object({ kind: z.literal('rotate'), key: z.string(), version: z.string() }),
]);

export const FINDING = z.object({
  id: z.string().describe('Stable across checks while the finding exists.'),
  reason: z.string().describe('Reason code.'),
  severity,
  resource: z.string().describe('ARM id, key identifier, or name of a queue.'),
  is: z.string().describe('The observed state.'),
  shouldBe: z.string().describe('The desired state.'),
  fix: z.string().describe('What an operator must do.'),
  command: z
    .string()
    .optional()
    .describe('The shell command that repairs it; absent if an operator must decide first.'),
  cause: z
    .object({
      id: z.string().describe('Id of the cause.'),
      reason: z.string().describe('Reason code of the cause.'),
      about: z.array(z.string()).describe('The resources to repair; findings of one cause have the same.'),
    })
    .describe('The cause, whose repair resolves all of its findings.'),
  canFix: z.boolean().describe('Whether the app can fix it, if CMK_AUTOFIX contains its reason code.'),
  action: action.optional().describe('What the app does to fix it.'),
  since: z.iso.datetime().describe('When a check first found it.'),
  changedBy: CHANGED_BY.optional().describe('Author of the change that caused it, if an event reported it.'),
  exemption: z
    .object({
      reason: z.string().describe('Why it is exempt.'),
      until: z.string().describe('Last day of the exemption (UTC).'),
    })
    .optional()
    .describe('Exempt: shown, but neither counted nor fixed.'),
});

const NAMED_FINDING = z.object({ id: z.string(), reason: z.string(), resource: z.string() });

/** A change from an event, with the findings that it caused or resolved. */
const CHANGE = CHANGED_BY.extend({
  id: z.string().describe('Id of the event.'),
  foundOn: z.iso.datetime().describe('When the checks of its subjects were done.'),
  found: z.array(NAMED_FINDING).describe('The first findings that it caused.'),
  gone: z.array(NAMED_FINDING).describe('The first findings that it resolved.'),
  fixed: z.boolean().describe('Whether the app began to repair it.'),
});

const CAUSE = z.object({
  id: z.string().describe('Stable across checks while it has findings.'),
  reason: z.string().describe('Reason code of the cause; its findings may have other codes.'),
  severity: severity.describe('The worst severity of its findings.'),
  about: z.array(z.string()).describe('ARM ids and key identifiers to repair; empty: several resources.'),
  affected: count.describe('Number of affected resources.'),
  accounts: count.default(0).describe('Affected storage accounts; an account with its scopes counts once.'),
  sample: z.array(z.string()).describe('The first affected resources.'),
  findings: count.describe('Number of findings. `findings` lists the first; `cmk drift --expand` lists all.'),
  is: z.string().describe('The observed state of the first finding.'),
  shouldBe: z.string().describe('The desired state.'),
  fix: z.string().describe('What an operator must do.'),
  commands: z
    .array(z.string())
    .describe('Shell commands that repair it: the first different commands of its findings.'),
  moreCommands: count.describe('Number of commands not in `commands`; each finding has its own command.'),
  canFix: count.describe('Number of findings that the app can fix.'),
  since: z.iso.datetime().describe('When a check first found one of its findings.'),
  exempt: z.boolean().describe('Its findings are exempt: shown, but neither counted nor fixed.'),
  changedBy: CHANGED_BY.optional().describe('Author of the last change that caused one of its findings.'),
});

export const UNSEEN = z.object({
  id: z.string().describe('Id of the finding.'),
  since: z.iso.datetime().describe('When a check first found it.'),
  lastSeen: z.iso.datetime().describe('Start of the last check that found it.'),
});

export const FIX = z.object({
  finding: z.string().describe('Id of the finding.'),
  reason: z.string(),
  resource: z.string(),
  outcome: z
    .enum(['enqueued', 'done', 'waiting', 'failed'])
    .describe(
      '`enqueued`: a worker reads the state again and decides. `waiting`: the key is paused, or the log does not yet prove the version unused.',
    ),
  detail: z.string().describe('The change, or why it failed.'),
});

/** A revocation that no restore has ended. */
const KNOWN_REVOCATION = z.object({
  key: z.string().describe('Key identifier, in lower case.'),
  id: z.string(),
  revokedOn: z.iso.datetime(),
  revokedBy: z.string().describe('Object id of the revoker.'),
});
export type KnownRevocation = z.output<typeof KNOWN_REVOCATION>;

/** The last drill of a key. */
const KNOWN_DRILL = z.object({
  key: z.string().describe('Key identifier, in lower case.'),
  on: z.iso.datetime().describe('When the last drill ended.'),
  passed: z.boolean(),
  passedOn: z.iso.datetime().optional().describe('When a drill last passed; absent: never.'),
  failure: z.string().optional().describe('The failed step of the last drill, and why.'),
});
export type KnownDrill = z.output<typeof KNOWN_DRILL>;

/** The scope of the check. Absent resources were not read. */
const coverage = z.object({
  vaults: count,
  keys: count,
  accounts: count,
  dependents: count.describe('Accounts that use a key of a managed vault, directly or through a scope.'),
  subscriptions: z.array(
    z.object({
      id: z.string(),
      accounts: count,
      scopesLookedAt: count.describe('Accounts whose encryption scopes were listed; later checks list the others.'),
      complete: z.boolean().describe('False if a read failed.'),
    }),
  ),
  round: count.describe(
    'Number of the check; selects the accounts whose encryption scopes it lists, and the versions that it retires.',
  ),
});

export const DRIFT_REPORT = z
  .object({
    version: z.literal(2).describe('Version of this format.'),
    id: z.string().describe('Correlation id of the check in the log and the audit trail.'),
    startedOn: z.iso.datetime(),
    finishedOn: z.iso.datetime(),
    by: z.enum(['timer', 'operator']),
    caller: z.string().optional().describe('Object id of the operator.'),
    complete: z.boolean().describe('False if something is Unreadable: findings may be missing.'),
    counts: z.object({
      error: count,
      warning: count,
      advice: count,
      exempt: count.describe('Exempt findings, not counted above.'),
      new: count.describe('Findings that the previous check did not have.'),
      gone: count.describe('Resolved findings of the previous check, without `unseen` findings.'),
      unseen: count
        .default(0)
        .describe('Findings of earlier checks that this check could not verify, because some reads failed.'),
    }),
    coverage,
    trailEnd: z
      .object({ file: z.string(), seq: z.int().positive(), hash: z.string() })
      .optional()
      .describe(
        'End of the audit trail at its last verification, where the next check continues; absent: never verified.',
      ),
    openRevocations: z
      .array(KNOWN_REVOCATION)
      .default([])
      .describe('Revocations that no restore has ended, by the audit trail and the tags of the keys.'),
    drills: z.array(KNOWN_DRILL).default([]).describe('The last drill of each key, by the audit trail.'),
    causes: z.array(CAUSE).describe('Causes, each with one repair. Sorted by severity, then by number of findings.'),
    findings: z
      .array(FINDING)
      .describe('Worst first, exempt findings last. A large cause lists only a sample; its `findings` is the total.'),
    fixes: z.array(FIX).describe('Fixes of the listed findings, and failed fixes.'),
    changes: z.array(CHANGE).default([]).describe('The last changes that events reported, newest first.'),
    changeSeconds: z
      .object({ p50: z.number(), p95: z.number(), changes: count })
      .optional()
      .describe('Seconds from a change to its findings, for `changes`.'),
  })
  .meta({ title: 'Drift report of cmk-autopilot' });

export type DriftReport = z.output<typeof DRIFT_REPORT>;
export type Finding = z.output<typeof FINDING>;
export type FixAction = z.output<typeof action>;
export type DriftChange = z.output<typeof CHANGE>;
export type DriftCause = z.output<typeof CAUSE>;
export type Unseen = z.output<typeof UNSEEN>;
export type Fix = z.output<typeof FIX>;

/** The complete lists that a report shortens. The store keeps them beside the report. */
export const DRIFT_DETAILS = z.object({
  findings: z.array(FINDING),
  fixes: z.array(FIX),
  unseen: z.array(UNSEEN),
});
export type DriftDetails = z.output<typeof DRIFT_DETAILS>;

/** A report with every finding, as a check creates it. */
export type WholeReport = DriftReport & DriftDetails;

/** The fields of a finding that the next check needs. Reduced, to save memory with ten thousand findings. */
export type PreviousFinding = Pick<Finding, 'id' | 'reason' | 'resource' | 'since' | 'changedBy'>;

/** The fields of the last report that the next check needs. */
export type ReportBefore = Pick<
  WholeReport,
  'startedOn' | 'coverage' | 'unseen' | 'trailEnd' | 'openRevocations' | 'drills' | 'changes'
> & {
  readonly findings: readonly PreviousFinding[];
};

/** An entry of the history. */
export const DRIFT_SUMMARY = DRIFT_REPORT.pick({ id: true, startedOn: true, complete: true, counts: true });
export type DriftSummary = z.output<typeof DRIFT_SUMMARY>;

/** The JSON Schema of docs/reference/drift-report.schema.json. */
export function createDriftReportSchema(): Record<string, unknown> {
  return z.toJSONSchema(DRIFT_REPORT, {
    // A reader must accept a report with additional fields of a later app version.
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === 'object') Reflect.deleteProperty(jsonSchema, 'additionalProperties');
    },
  }) as Record<string, unknown>;
}
