import { z } from 'zod';
import { ACCOUNT_RECORD, TAKEN, TAKEN_FAILURE } from '../revocation/record-view.ts';
import { AUDITED, REASON, RESTORE_REQUEST, TICKET, WARNINGS } from './schemas.ts';

/** Bodies and answers of the calls about one account. The OpenAPI document is made from these same schemas. */

/** Azure Storage resource provider, "Encryption Scopes". */
const SCOPE_NAME = /^(?=.{3,63}$)[0-9A-Za-z]+(?:-[0-9A-Za-z]+)*$/;

export const SCOPE = z
  .string()
  .regex(SCOPE_NAME, 'the name of an encryption scope is 3 to 63 letters and digits, with single dashes between them')
  .optional()
  .describe('Name of the encryption scope that it is about; absent: the access of the whole account to its key.');

export const ACCOUNT_REVOKE_REQUEST = z.strictObject({
  reason: REASON,
  ticket: TICKET,
  scope: SCOPE,
  confirm: z
    .string()
    .max(100)
    .describe(
      'The account once more, as `<account>`, or `<account>/<scope>`: a call meant for another one is refused.',
    ),
});

export const ACCOUNT_RESTORE_REQUEST = RESTORE_REQUEST;

const effects = {
  stops: z.array(z.string()).describe('What stops, in sentences.'),
  goesOn: z.array(z.string()).describe('What goes on all the same.'),
  takesEffect: z.string().describe('How soon, as far as Microsoft says so.'),
  notDocumented: z.array(z.string()).describe('What Microsoft does not say; nothing may be made to rest on it.'),
};

const about = { account: z.string().describe('ARM id.'), key: z.string().describe('Key identifier.') };

export const ACCOUNT_REVOKE_RESPONSE = z.object({
  ...about,
  scope: z.string().optional(),
  reason: z.enum(['AccountRevoked', 'DryRun']),
  complete: z.boolean().describe('A fresh read proves that nothing gives access any more.'),
  revocation: ACCOUNT_RECORD.optional(),
  takes: z.array(TAKEN).describe('What was, or would be, taken away.'),
  failures: z.array(TAKEN_FAILURE),
  elapsedMs: z.number(),
  ...z.object(effects).partial().shape,
  ...AUDITED,
  warnings: WARNINGS,
});

export const ACCOUNT_RESTORE_RESPONSE = z.object({
  ...about,
  scope: z.string().optional(),
  reason: z.enum(['AccountRestored', 'NothingToRestore']),
  complete: z.boolean(),
  revocation: ACCOUNT_RECORD.optional(),
  given: z.array(TAKEN),
  failures: z.array(TAKEN_FAILURE),
  ...AUDITED,
  warnings: WARNINGS,
});

export const ACCOUNT_STATUS = z.object({
  account: z.string().describe('ARM id.'),
  key: z.string().optional().describe('Identifier of its own key; absent: it uses none of a managed vault.'),
  revocations: z
    .array(
      ACCOUNT_RECORD.extend({
        held: z
          .union([z.boolean(), z.literal('unknown')])
          .describe('Whether nothing gives access, as is meant; false: something does.'),
      }),
    )
    .describe('What is revoked below the key, newest first.'),
  unbelieved: z.array(z.string()).describe('Ids of records that this app cannot have written, or not in whole.'),
  shares: z
    .array(z.object({ name: z.string(), protocol: z.enum(['SMB', 'NFS']) }))
    .optional()
    .describe('With `shares=true`, its file shares but those that are soft-deleted; absent: they could not be listed.'),
  access: z
    .object({
      ready: z.union([z.boolean(), z.literal('unknown')]).describe('Whether its identity may use its key now.'),
      reason: z.string().optional().describe('Reason code, where it may not.'),
      missing: z.array(z.string()).describe('What is missing, or why it cannot be told; one sentence each.'),
    })
    .optional()
    .describe('With `shares=true`; absent: it uses no key of a managed vault itself.'),
  warnings: WARNINGS,
});

export type AccountShares = Pick<z.output<typeof ACCOUNT_STATUS>, 'shares' | 'access' | 'warnings'>;
export type AccountRevokeRequest = z.output<typeof ACCOUNT_REVOKE_REQUEST>;
export type AccountRevokeResponse = z.input<typeof ACCOUNT_REVOKE_RESPONSE>;
export type AccountRestoreResponse = z.input<typeof ACCOUNT_RESTORE_RESPONSE>;
export type AccountStatusResponse = z.input<typeof ACCOUNT_STATUS>;
