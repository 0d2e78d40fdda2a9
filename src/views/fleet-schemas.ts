import { z } from 'zod';
import { FINDING } from '../drift/report.ts';
import { HEALTH_MEANINGS, HEALTH_STATES } from '../fleet/health-states.ts';

/** Answers of the calls about the fleet. The OpenAPI document is made from these same schemas. */

const time = z.iso.datetime();
const count = z.int().nonnegative();
const state = z
  .enum(HEALTH_STATES)
  .describe(`Worst first. ${HEALTH_STATES.map((one) => `\`${one}\`: ${HEALTH_MEANINGS[one]}`).join(' ')}`);

const CAUSE = {
  id: z.string().describe('Id of the cause in the drift report, where it has it; a filter takes it.'),
  reason: z.string().describe('Reason code.'),
  about: z.array(z.string()).describe('ARM ids and key identifiers of what is to be repaired.'),
  label: z.string().describe('The same in a few words, such as `id-storage on kv-files`; may be empty.'),
};

const USE = {
  key: z.string().optional().describe('Key identifier without a version; absent: Microsoft-managed keys.'),
  vault: z.string().optional().describe('Name of its vault.'),
  version: z.string().optional().describe('The version in use, or that it is pinned to where Azure does not show it.'),
  mode: z.enum(['pinned', 'automatic']).optional(),
};

const LAST_TRY = z
  .object({
    result: z.enum(['done', 'retry']).describe('`retry`: it failed, and the app retries.'),
    reason: z.string(),
    at: time,
  })
  .optional()
  .describe('Outcome of the last attempt to move it; absent: there was none.');

export const FLEET_ROW = z.object({
  name: z.string(),
  id: z.string().describe('ARM id of the storage account.'),
  subscription: z.string(),
  resourceGroup: z.string(),
  region: z.string(),
  ...USE,
  scopes: count.optional().describe('Encryption scopes that use a key; absent: they were never asked for.'),
  tags: z.record(z.string(), z.string()).describe('Tags of the account when the index last read it.'),
  health: z.object({
    state,
    cause: z.object(CAUSE).optional(),
    since: time.optional().describe('Absent: not known.'),
  }),
  probe: z
    .object({ state: z.enum(['blocked', 'open', 'unknown']), since: time, checkedOn: time })
    .optional()
    .describe(
      'What its file service, or its blob service where that shows more, showed when it was last asked; absent: it never was.',
    ),
  lastRead: time.describe('When the index last read the account.'),
  lastChecked: time.optional().describe('Start of the last drift check that looked at it; absent: none has.'),
});

const FLEET_SUMMARY = z.object({
  text: z.string().describe('In one sentence: `2,013 accounts: 3 serving, 2,010 no access (id-storage on kv-files)`.'),
  accounts: count,
  listed: z
    .boolean()
    .describe(
      'False: the accounts of some subscriptions were not listed yet, so that the counts are not those of the fleet.',
    ),
  subscriptions: z
    .object({ listed: count, all: count })
    .describe('Subscriptions whose accounts were listed, of those in sight: how far the first build of the index is.'),
  states: z.record(z.enum(HEALTH_STATES), count),
  causes: z
    .array(z.object({ ...CAUSE, state, accounts: count, since: time.optional() }))
    .describe('At most 20, worst first.'),
  moreCauses: count,
});

const FRESHNESS = z.object({
  check: z
    .object({ id: z.string(), startedOn: time, complete: z.boolean() })
    .optional()
    .describe('The drift check whose findings count; absent: there is none.'),
});

export const FLEET_LIST = z.object({
  value: z.array(FLEET_ROW).describe('In order of their names.'),
  nextLink: z.string().optional().describe('Where the next page is; absent: this was the last.'),
  summary: FLEET_SUMMARY.describe('Of what matches all filters but `health` and `cause`.'),
  freshness: FRESHNESS,
  warnings: z.array(z.string()).describe('What could not be read, so that health is less sure than it could be.'),
});

export const FLEET_ACCOUNT = FLEET_ROW.extend({
  pinned: z.string().optional().describe('The version that it is pinned to.'),
  current: z.string().optional().describe('The version that data is wrapped with, as Storage said.'),
  identity: z
    .string()
    .optional()
    .describe('ARM id of the user-assigned identity that reaches the key; absent: its own.'),
  lastTry: LAST_TRY,
  scopeUses: z.array(z.object({ scope: z.string(), ...USE, lastTry: LAST_TRY })),
  findings: z.array(FINDING).describe('Of the last drift check, about the account and its scopes.'),
  freshness: FRESHNESS,
  warnings: z.array(z.string()),
});

export type FleetRowAnswer = z.output<typeof FLEET_ROW>;
export type FleetAccountAnswer = z.output<typeof FLEET_ACCOUNT>;
export type FleetListAnswer = z.output<typeof FLEET_LIST>;
