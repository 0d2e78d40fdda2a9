import { z } from 'zod';
import { HEALTH_STATES } from '../../fleet/health-states.ts';
import { KEY_USAGE } from '../checks/key-usage.ts';
import { MANAGED_ACCOUNTS } from '../managed-accounts.ts';
import { FINDING } from '../report.ts';

/** What came of looking at one subscription. It can be put aside, so that a check that is killed is gone on with. */
export const SUBSCRIPTION_RESULT = z.strictObject({
  id: z.string(),
  accounts: z.int(),
  dependents: z.int(),
  scopesLookedAt: z.int(),
  complete: z.boolean(),
  findings: z.array(FINDING.omit({ since: true })),
  /** By key identifier, lower case. */
  usage: z.record(z.string(), KEY_USAGE),
  unread: z.array(
    z.strictObject({
      resource: z.string(),
      what: z.string(),
      detail: z.string(),
      kind: z.enum([
        'throttled',
        'unavailable',
        'notFound',
        'forbidden',
        'blocked',
        'conflict',
        'refused',
        'unexpected',
        'timeUp',
      ]),
      action: z.string(),
      beside: z.boolean().optional(),
    }),
  ),
  /** How many of its accounts stand alike. */
  health: z
    .array(
      z.strictObject({
        state: z.enum(HEALTH_STATES),
        cause: z.strictObject({ id: z.string(), reason: z.string(), about: z.array(z.string()) }).optional(),
        accounts: z.int(),
      }),
    )
    .default([]),
  /** What is to be remembered of its accounts. */
  managedAccounts: MANAGED_ACCOUNTS,
  /**
   * Where the index differs from what was seen: `list`, accounts of the subscription; `keys`, encryption scopes on these.
   * `unread`: why it could not be compared.
   */
  index: z
    .strictObject({ list: z.boolean(), keys: z.array(z.string()), unread: z.string().optional() })
    .default({ list: false, keys: [] }),
  /** The app's own storage, where it uses a managed key. */
  lockedOutBy: z.array(z.strictObject({ account: z.string(), key: z.string() })),
});

export type SubscriptionResult = z.output<typeof SUBSCRIPTION_RESULT>;
