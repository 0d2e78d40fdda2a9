import { z } from 'zod';
import { FINDING } from '../drift/report/report.ts';
import { HEALTH_MEANINGS, HEALTH_STATES } from './health-states.ts';

/** Answers of the fleet calls. The OpenAPI document is generated from these schemas. */

const time = z.iso.datetime();
const count = z.int().nonnegative();
const state = z
  .enum(HEALTH_STATES)
  .describe(`Worst first. ${HEALTH_STATES.map((one) => `\`${one}\`: ${HEALTH_MEANINGS[one]}`).join(' ')}`);

const CAUSE = {
  id: z
    .string()
    .describe('Id of the cause in the drift report, if the report has the cause; the filter `cause` accepts it.'),
  reason: z.string().describe('Reason code.'),
  about: z.array(z.string()).describe('ARM ids and key identifiers of the resources to repair.'),
  label: z.string().describe('Short form of `about`, such as `id-storage on kv-files`; may be empty.'),
};

const USE = {
  key: z.string().optional().describe('Key identifier without a version; absent: Microsoft-managed keys.'),
  vault: z.string().optional().describe('Name of its vault.'),
  version: z.string().optional().describe('Version in use; if Azure does not show it, the pinned version.'),
  mode: z.enum(['pinned', 'automatic']).optional(),
};

const LAST_TRY = z
  .object({
    result: z.enum(['done', 'retry']).describe('`retry`: the move failed, and the app retries.'),
    reason: z.string(),
    at: time,
  })
  .optional()
  .describe('Result of the last attempt to move the account; absent: no attempt.');

export const FLEET_ROW = z.object({
  name: z.string(),
  id: z.string().describe('ARM id of the storage account.'),
  subscription: z.string(),
  resourceGroup: z.string(),
  region: z.string(),
  ...USE,
  scopes: count
    .optional()
    .describe('Number of encryption scopes that use a key; absent: the app has never listed them.'),
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
      'Result of the last probe of the file service, or of the blob service of an account without a file share; absent: no probe.',
    ),
  lastRead: time.describe('When the index last read the account.'),
  lastChecked: time
    .optional()
    .describe('Start of the last drift check that covered the account; absent: no check has.'),
});

const FLEET_SUMMARY = z.object({
  text: z.string().describe('Summary sentence: `2,013 accounts: 3 serving, 2,010 no access (id-storage on kv-files)`.'),
  accounts: count,
  listed: z
    .boolean()
    .describe('False: the app has not listed the accounts of some subscriptions yet, so the counts are incomplete.'),
  subscriptions: z
    .object({ listed: count, all: count })
    .describe(
      'Progress of the first build of the index: listed subscriptions, of all subscriptions that the app can read.',
    ),
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
    .describe('Drift check whose findings the health uses; absent: no check has run.'),
});

export const FLEET_LIST = z.object({
  value: z.array(FLEET_ROW).describe('Sorted by name.'),
  nextLink: z.string().optional().describe('Next page; absent: this is the last page.'),
  summary: FLEET_SUMMARY.describe('Summary of the accounts that match all filters except `health` and `cause`.'),
  freshness: FRESHNESS,
  warnings: z.array(z.string()).describe('Failed reads, which make the health less certain.'),
});

/** An account, without the age of the data. */
const ACCOUNT_VIEW = FLEET_ROW.extend({
  pinned: z.string().optional().describe('Pinned version.'),
  current: z.string().optional().describe('Version that wraps the data, according to Storage.'),
  identity: z
    .string()
    .optional()
    .describe('ARM id of the user-assigned identity that accesses the key; absent: the system-assigned identity.'),
  lastTry: LAST_TRY,
  scopeUses: z.array(z.object({ scope: z.string(), ...USE, lastTry: LAST_TRY })),
  findings: z.array(FINDING).describe('Findings of the last drift check about the account and its scopes.'),
});

export const FLEET_ACCOUNT = ACCOUNT_VIEW.extend({ freshness: FRESHNESS, warnings: z.array(z.string()) });

export type FleetRowAnswer = z.output<typeof FLEET_ROW>;
export type AccountView = z.output<typeof ACCOUNT_VIEW>;
export type FleetAccountAnswer = z.output<typeof FLEET_ACCOUNT>;
export type FleetListAnswer = z.output<typeof FLEET_LIST>;
