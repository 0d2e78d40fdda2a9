import { z } from 'zod';
import { BLAST_RADIUS } from '../dependents/dependent.ts';
import { REASON, TICKET } from '../http/json-body.ts';
import { TEXT_LENGTHS } from '../http/readable.ts';
import { RESTORED_REVOCATION, SHOWN_REVOCATION, VERSION_REPORT } from '../revocation/version-report.ts';
import { LOGGED_USAGE } from '../views/key-schemas.ts';

/** Bodies and answers of the break-glass calls. The OpenAPI document is generated from these schemas. */

export const REVOKE_REQUEST = z.strictObject({
  reason: REASON,
  ticket: TICKET,
  confirm: z
    .string()
    .max(200)
    .describe('The key again, as `<vault>/<key>`: the app rejects a call whose path names another key.'),
});

export const RESTORE_REQUEST = z.strictObject({
  reason: REASON,
  ticket: TICKET,
  revocation: z
    .string({
      error: 'name the revocation to restore: the status of the key and the answer to the revocation have its id',
    })
    .trim()
    .min(TEXT_LENGTHS.revocation[0])
    .max(TEXT_LENGTHS.revocation[1])
    .describe(
      'Id of the revocation to restore, from its answer or from the status of the key. The call undoes no other revocation.',
    ),
});

const CHANGED = {
  key: z.string(),
  complete: z.boolean(),
  versions: z.array(VERSION_REPORT),
  audit: z.string().describe('`written`, or why the app could not write the audit trail.'),
  auditReceipt: z
    .string()
    .optional()
    .describe('Number and hash of the audit record: `cmk audit verify --receipt` later proves that the trail has it.'),
  warnings: z.array(z.string()).describe('Failed reads and writes, and the next steps.'),
};

export const REVOKE_RESPONSE = z.object({
  ...CHANGED,
  reason: z.enum(['Revoked', 'DryRun']),
  revocation: SHOWN_REVOCATION.optional(),
  elapsedMs: z
    .number()
    .describe('Milliseconds from the call to the end of the last write; 0 if the call wrote nothing.'),
  dependents: BLAST_RADIUS,
  usage: LOGGED_USAGE.optional(),
});

const access = z.object({
  account: z.string(),
  ready: z.union([z.boolean(), z.literal('unknown')]),
  missing: z.array(z.string()).describe('Problems to fix before the account can use the key again.'),
});

export const RESTORE_RESPONSE = z.object({
  ...CHANGED,
  reason: z.enum(['Restored', 'NothingToRestore']),
  recovered: z.boolean().describe('The key was soft-deleted, and the app recovered it first.'),
  revocation: RESTORED_REVOCATION.optional(),
  accounts: z.array(access),
});

export type RevokeResponse = z.input<typeof REVOKE_RESPONSE>;
export type RestoreResponse = z.input<typeof RESTORE_RESPONSE>;
