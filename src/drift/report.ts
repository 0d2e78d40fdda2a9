import { z } from 'zod';
import { CHANGED_BY } from '../events/resource-event.ts';

/** Worst first. */
export const SEVERITIES = ['error', 'warning', 'advice'] as const;
const severity = z
  .enum(SEVERITIES)
  .describe(
    '`error`: data cannot be reached, or cannot soon, or is not protected as it has to be. `warning`: will become one, or takes away a safety net. `advice`: in order, and could be better.',
  );
const count = z.int().nonnegative();

/** How the app fixes a finding: by the same functions as every other trigger. */
const action = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('account'), account: z.string(), location: z.string(), key: z.string() }),
  z.object({ kind: z.literal('events'), vault: z.string(), functionName: z.string() }),
  z.object({ kind: z.literal('watch'), subscription: z.string() }),
  z.object({ kind: z.literal('retire'), key: z.string(), version: z.string() }),
  z.object({ kind: z.literal('rotate'), key: z.string(), version: z.string() }),
]);

export const FINDING = z.object({
  id: z.string().describe('Stays the same from check to check, as long as the finding stands.'),
  reason: z.string().describe('Reason code.'),
  severity,
  resource: z.string().describe('ARM id, key identifier, or name of a queue.'),
  is: z.string().describe('What is.'),
  shouldBe: z.string().describe('What should be.'),
  fix: z.string().describe('What a person does about it.'),
  command: z
    .string()
    .optional()
    .describe('The command that repairs it, to be copied into a shell; absent where it takes a decision first.'),
  cause: z
    .object({
      id: z.string().describe('Id of the cause.'),
      reason: z.string().describe('Reason code of the cause.'),
      about: z.array(z.string()).describe('What is to be repaired; findings with the same are of one cause.'),
    })
    .describe('What one act would repair, along with other findings.'),
  canFix: z.boolean().describe('Whether the app can fix it, if CMK_AUTOFIX has its reason code.'),
  action: action.optional().describe('What the app does to fix it.'),
  since: z.iso.datetime().describe('When a check first found it.'),
  changedBy: CHANGED_BY.optional().describe('Who made the change that it comes from, if an event reported it.'),
  exemption: z
    .object({
      reason: z.string().describe('Why it is exempt.'),
      until: z.string().describe('Last day on which that holds (UTC).'),
    })
    .optional()
    .describe('Exempt: shown, and neither counted nor fixed.'),
});

const NAMED_FINDING = z.object({ id: z.string(), reason: z.string(), resource: z.string() });

/** A change that an event reported, and the findings that it made or ended. */
const CHANGE = CHANGED_BY.extend({
  id: z.string().describe('Of the event.'),
  foundOn: z.iso.datetime().describe('When the checks had run on what it concerns.'),
  found: z.array(NAMED_FINDING).describe('Findings that it made, the first of them.'),
  gone: z.array(NAMED_FINDING).describe('Findings that it ended, the first of them.'),
  fixed: z.boolean().describe('Whether the app began to repair it.'),
});

const CAUSE = z.object({
  id: z.string().describe('Stays the same from check to check, as long as it has findings.'),
  reason: z.string().describe('Reason code of what is behind its findings, which may have others.'),
  severity: severity.describe('The worst of its findings.'),
  about: z
    .array(z.string())
    .describe('ARM ids and key identifiers of what is to be repaired; empty: of several things.'),
  affected: count.describe('Resources that have a finding of it.'),
  accounts: count.default(0).describe('Storage accounts among them; one with scopes counts once.'),
  sample: z.array(z.string()).describe('The first of these resources.'),
  findings: count.describe('Its findings; of many, `findings` has the first. `cmk drift --expand` has all.'),
  is: z.string().describe('What is, of the first of them.'),
  shouldBe: z.string().describe('What should be.'),
  fix: z.string().describe('What a person does about it.'),
  commands: z
    .array(z.string())
    .describe('What repairs it, to be copied into a shell: the first of the different commands of its findings.'),
  moreCommands: count.describe('Commands that are not in `commands`; each finding has its own.'),
  canFix: count.describe('Findings that the app can fix.'),
  since: z.iso.datetime().describe('When a check first found one of them.'),
  exempt: z.boolean().describe('Its findings are exempt: shown, and neither counted nor fixed.'),
  changedBy: CHANGED_BY.optional().describe('Who made the last change that one of them comes from.'),
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
      '`enqueued`: a worker decides, from what is there then. `waiting`: the key is paused, or the log does not prove yet that the version is unused.',
    ),
  detail: z.string().describe('What was done, or why it failed.'),
});

/** What the check read: what is not in here was not read. */
const coverage = z.object({
  vaults: count,
  keys: count,
  accounts: count,
  dependents: count.describe('Accounts that use a key of a managed vault, by themselves or by a scope.'),
  subscriptions: z.array(
    z.object({
      id: z.string(),
      accounts: count,
      scopesLookedAt: count.describe('Accounts whose encryption scopes were listed; the others take their turn.'),
      complete: z.boolean().describe('False when something of it could not be read.'),
    }),
  ),
  round: count.describe('Counts the checks; decides whose encryption scopes have their turn.'),
});

export const DRIFT_REPORT = z
  .object({
    version: z.literal(2).describe('Of this format.'),
    id: z.string().describe('Finds the check in the log and in the audit trail.'),
    startedOn: z.iso.datetime(),
    finishedOn: z.iso.datetime(),
    by: z.enum(['timer', 'operator']),
    caller: z.string().optional().describe('Object id of the operator.'),
    complete: z.boolean().describe('False when something is Unreadable: there may be more than was found.'),
    counts: z.object({
      error: count,
      warning: count,
      advice: count,
      exempt: count.describe('Exempt, and not counted above.'),
      new: count.describe('Findings that the check before did not have.'),
      gone: count.describe('Findings of the check before that are no more; those that are `unseen` are not counted.'),
      unseen: count
        .default(0)
        .describe('Findings of earlier checks that this one could not look for, as not everything could be read.'),
    }),
    coverage,
    trailEnd: z
      .object({ file: z.string(), seq: z.int().positive(), hash: z.string() })
      .optional()
      .describe(
        'Where the audit trail ended when a check verified it last, and from where the next one goes on; absent: none has.',
      ),
    causes: z
      .array(CAUSE)
      .describe('What one act each would repair; worst first, and of these the one with the most findings.'),
    findings: z
      .array(FINDING)
      .describe(
        'Worst first, exempt ones last. Of a cause with many only a sample: `findings` of the cause says how many.',
      ),
    fixes: z.array(FIX).describe('Of the findings that are listed, and those that failed.'),
    changes: z.array(CHANGE).default([]).describe('The last changes that events reported, newest first.'),
    changeSeconds: z
      .object({ p50: z.number(), p95: z.number(), changes: count })
      .optional()
      .describe('From a change to its findings, of `changes`.'),
  })
  .meta({ title: 'Drift report of cmk-autopilot' });

export type DriftReport = z.output<typeof DRIFT_REPORT>;
export type Finding = z.output<typeof FINDING>;
export type FixAction = z.output<typeof action>;
export type DriftChange = z.output<typeof CHANGE>;
export type DriftCause = z.output<typeof CAUSE>;
export type Unseen = z.output<typeof UNSEEN>;
export type Fix = z.output<typeof FIX>;

/** What a report leaves out, whole; kept beside it. */
export const DRIFT_DETAILS = z.object({
  findings: z.array(FINDING),
  fixes: z.array(FIX),
  unseen: z.array(UNSEEN),
});
export type DriftDetails = z.output<typeof DRIFT_DETAILS>;

/** A report with every finding, whatever their number: what a check makes. */
export type WholeReport = DriftReport & DriftDetails;

/** What the next check goes by, for as long as it runs: of ten thousand findings no more than by what they are known again. */
export type ReportBefore = Pick<
  WholeReport,
  'startedOn' | 'coverage' | 'unseen' | 'trailEnd' | 'changes' | 'changeSeconds'
> & {
  readonly findings: readonly Pick<Finding, 'id' | 'reason' | 'resource' | 'since' | 'changedBy'>[];
};

/** One line of the history. */
export const DRIFT_SUMMARY = z.object({
  id: z.string(),
  startedOn: z.iso.datetime(),
  complete: z.boolean(),
  counts: DRIFT_REPORT.shape.counts,
});
export type DriftSummary = z.output<typeof DRIFT_SUMMARY>;

/** The JSON Schema that is published as docs/reference/drift-report.schema.json. */
export function driftReportSchema(): Record<string, unknown> {
  return z.toJSONSchema(DRIFT_REPORT, {
    // A reader must not refuse a report for a field that a later version of the app adds.
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === 'object') Reflect.deleteProperty(jsonSchema, 'additionalProperties');
    },
  }) as Record<string, unknown>;
}
