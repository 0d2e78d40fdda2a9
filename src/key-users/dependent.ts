import { z } from 'zod';

// Resources that depend on a key, as the app finds them and as API and command line show them.

export const UNREAD = z.object({
  what: z.string().describe('Description of the part: `storage accounts of subscription …`.'),
  reason: z.string().describe('Reason code; `TimeUp`: the time limit of the call passed before the read ended.'),
  detail: z.string(),
});

const mode = ['pinned', 'automatic'] as const;

/** How a resource of another service takes up a new version of its key. */
export const USER_MODES = ['pinned', 'automatic', 'byHand', 'unknown'] as const;

const SCOPE = z.object({
  name: z.string(),
  enabled: z.boolean(),
  mode: z.enum(mode),
  version: z.string().optional(),
});

const ACCOUNT = z
  .object({
    id: z.string().describe('ARM id.'),
    name: z.string(),
    region: z.string(),
    mode: z
      .enum([...mode, 'scopesOnly'])
      .describe('`scopesOnly`: only encryption scopes use this key. The account itself uses another key.'),
    version: z.string().optional().describe('Version in use; absent if Azure does not return it.'),
    shares: z
      .array(z.object({ name: z.string(), protocol: z.enum(['SMB', 'NFS']) }))
      .describe('Empty for `scopesOnly`: encryption scopes contain only blobs.'),
    scopes: z.array(SCOPE),
    notCutOff: z
      .array(z.string())
      .describe(
        'Parts whose data stays readable, because another key encrypts it: `queue`, `table` (`QueueOnServiceKey`, `TableOnServiceKey`), `scope <name>` for an enabled encryption scope. Empty for `scopesOnly`.',
      ),
  })
  .describe('A storage account that stops serving data when the key is revoked.');

export const OTHER = z
  .object({
    id: z.string().describe('ARM id.'),
    name: z.string(),
    type: z.string().describe('In lower case.'),
    region: z.string(),
    subscriptionId: z.string(),
    uses: z
      .array(
        z.object({
          path: z.string().describe('Path under `properties` that names the key.'),
          version: z.string().optional(),
        }),
      )
      .describe('At least one.'),
    mode: z
      .enum(USER_MODES)
      // Absent in answers of an older app.
      .optional()
      .describe(
        'How it takes up a new version of the key. `automatic`: by itself. `pinned`: it stays on its version until it is changed, and its type can be automatic. `byHand`: Microsoft documents no automatic mode for it. `unknown`: Azure does not show it.',
      ),
    version: z.string().optional().describe('Version in use, as far as Azure shows it.'),
    known: z.boolean().describe('False: the app does not know why resources of this type name a key.'),
    fieldReports: z.string().optional().describe("Reports from the field that contradict Microsoft's text."),
    whenRevoked: z
      .string()
      .optional()
      .describe('Effect of the revocation, and the steps of a recovery. Absent: the purpose of the key is unknown.'),
  })
  .describe('Another resource that uses the key according to Resource Graph.');

export const BLAST_RADIUS = z
  .object({
    complete: z.boolean().describe('False if `unread` has entries: the list may be incomplete.'),
    accounts: z.array(ACCOUNT).describe('By ARM id.'),
    otherResources: z.array(OTHER).describe('Also storage accounts outside the managed subscriptions; by ARM id.'),
    selfLockout: z.union([z.boolean(), z.literal('unknown')]).describe("Whether the app's own storage uses the key."),
    unread: z.array(UNREAD),
    outOfSight: z
      .string()
      .optional()
      .describe('Resource types that this deployment cannot read; `complete` does not cover them.'),
  })
  .describe('Resources that stop working while the key is revoked.');

const KNOWN_ACCOUNT = ACCOUNT.omit({ shares: true, notCutOff: true })
  .extend({ scopes: z.array(SCOPE.omit({ enabled: true })) })
  .describe('A storage account that uses the key.');

export const KEY_DEPENDENTS = BLAST_RADIUS.omit({ selfLockout: true })
  .extend({
    asOf: z.iso
      .datetime()
      .optional()
      .describe(
        'The fleet index read these accounts and scopes at this time or later; scopes are listed once a day. Absent: the index has none, or the command line read them live.',
      ),
    accounts: z.array(KNOWN_ACCOUNT).describe('According to the fleet index; by ARM id.'),
    otherResources: z
      .array(OTHER)
      .describe('Also storage accounts that the index does not know; at most a minute old; by ARM id.'),
  })
  .describe('Resources that use the key. The dry run of a revocation reads them live, with their file shares.');

/** A failed read, as answers show it. */
export type UnreadView = z.output<typeof UNREAD>;
export type DependentAccount = z.output<typeof ACCOUNT>;
export type DependentScope = z.output<typeof SCOPE>;
export type UserMode = (typeof USER_MODES)[number];
export type OtherDependent = z.output<typeof OTHER>;
export type BlastRadius = z.output<typeof BLAST_RADIUS>;
export type KnownAccount = z.output<typeof KNOWN_ACCOUNT>;
export type KeyDependents = z.output<typeof KEY_DEPENDENTS>;
