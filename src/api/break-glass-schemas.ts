import { z } from 'zod';
import { REASON, TICKET } from '../http/json-body.ts';
import { TEXT_LENGTHS } from '../http/readable.ts';
import { RESTORED_REVOCATION, SHOWN_REVOCATION, VERSION_REPORT } from '../revocation/version-report.ts';
import { BLAST_RADIUS, LOGGED_USAGE } from '../views/key-schemas.ts';

/** Bodies and answers of the break-glass calls. The OpenAPI document is made from these same schemas. */

export const REVOKE_REQUEST = z.strictObject({
  reason: REASON,
  ticket: TICKET,
  confirm: z
    .string()
    .max(200)
    .describe('The key once more, as `<vault>/<key>`: a call that was meant for another key is refused.'),
});

export const RESTORE_REQUEST = z.strictObject({
  reason: REASON,
  ticket: TICKET,
  revocation: z
    .string({
      error: 'name the revocation that is to be restored: its id is in the answer to it, and in the status of the key',
    })
    .trim()
    .min(TEXT_LENGTHS.revocation[0])
    .max(TEXT_LENGTHS.revocation[1])
    .describe(
      'Id of the revocation to restore, as the answer to it and the status of the key say. Another one is not undone.',
    ),
});

const CHANGED = {
  key: z.string(),
  complete: z.boolean(),
  versions: z.array(VERSION_REPORT),
  audit: z.string().describe('`written`, or why the audit trail could not be written.'),
  auditReceipt: z
    .string()
    .optional()
    .describe('Number and hash of the audit record: `cmk audit verify --receipt` proves later that it is there.'),
  warnings: z.array(z.string()).describe('What could not be written or read, and what to do about it.'),
};

export const REVOKE_RESPONSE = z.object({
  ...CHANGED,
  reason: z.enum(['Revoked', 'DryRun']),
  revocation: SHOWN_REVOCATION.optional(),
  elapsedMs: z
    .number()
    .describe('From the call to the end of the last writes, in milliseconds; 0 when nothing was written.'),
  dependents: BLAST_RADIUS,
  usage: LOGGED_USAGE.optional(),
});

const access = z.object({
  account: z.string(),
  ready: z.union([z.boolean(), z.literal('unknown')]),
  missing: z.array(z.string()).describe('What has to be put right before the account can use the key again.'),
});

export const RESTORE_RESPONSE = z.object({
  ...CHANGED,
  reason: z.enum(['Restored', 'NothingToRestore']),
  recovered: z.boolean().describe('The key was soft-deleted and has been recovered first.'),
  revocation: RESTORED_REVOCATION.optional(),
  accounts: z.array(access),
});

export type RevokeResponse = z.input<typeof REVOKE_RESPONSE>;
export type RestoreResponse = z.input<typeof RESTORE_RESPONSE>;
