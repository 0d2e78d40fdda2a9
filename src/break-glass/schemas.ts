import { z } from 'zod';
import { APPROVAL } from '../approvals/approval.ts';
import { APPROVALS_PART } from '../approvals/known-approvals.ts';
import { EFFECT_TIMES } from '../effect/sum-times.ts';
import { readableText } from '../http/readable-text.ts';
import { TEXT_LENGTHS } from '../http/text-lengths.ts';
import { KEY_DETAIL, PAUSED, VERSION_DETAIL } from '../overview/key-view.ts';
import { LOGGED_USAGE } from '../overview/usage-view.ts';
import { PAUSE } from '../rollout/pause.ts';

/** Bodies and answers of the break-glass calls. The OpenAPI document is made from these same schemas. */

export const REASON = readableText(TEXT_LENGTHS.reason).describe(
  'Why, in your own words. It goes into the audit trail.',
);
export const TICKET = readableText(TEXT_LENGTHS.ticket).optional().describe('Incident or change number.');

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

export const APPROVAL_REQUEST = z.strictObject({
  ...RESTORE_REQUEST.shape,
  action: z.literal('restore').describe('What is asked for.'),
  vault: z.string().min(3).max(24),
  key: z.string().min(1).max(127),
});

export const APPROVAL_ASKED = z.object({ reason: z.literal('ApprovalNeeded'), approval: APPROVAL });
export const APPROVAL_LIST = z.object({ value: z.array(APPROVAL) });
export const APPROVAL_WITHDRAWN = z.object({ approval: APPROVAL });

const usability = z.enum(['Usable', 'Disabled', 'NotYetActive', 'Expired', 'Unknown']);

const revocation = z.object({
  id: z.string(),
  revokedOn: z.iso.datetime(),
  revokedBy: z.string().describe('Object id of who revoked.'),
  restoringBy: z.string().optional().describe('Object id of who restores the key, or began to.'),
});

const versionReport = z.object({
  version: z.string(),
  createdOn: z.string(),
  before: usability,
  after: usability,
  recorded: z.boolean().describe('Whether it carries the record that a restore goes by.'),
  error: z.string().optional(),
});

const version = z.object({
  version: z.string(),
  createdOn: z.iso.datetime(),
  notBefore: z.iso.datetime().optional(),
  expiresOn: z.iso.datetime().optional(),
  state: usability,
  revoked: z.boolean().describe('Disabled by the open revocation.'),
  ...VERSION_DETAIL,
});

const unread = z.object({ what: z.string(), reason: z.string(), detail: z.string() });

const share = z.looseObject({ name: z.string() });
const dependentAccount = z.object({
  id: z.string(),
  name: z.string(),
  region: z.string(),
  mode: z.enum(['pinned', 'automatic', 'scopesOnly']),
  version: z.string().optional(),
  shares: z.array(share),
  scopes: z.array(z.looseObject({ name: z.string() })),
  notCutOff: z
    .array(z.enum(['queue', 'table']))
    .describe(
      'Services whose data stays readable: they are under a key of Microsoft (`QueueOnServiceKey`, `TableOnServiceKey`).',
    ),
});
const blastRadius = z
  .object({
    complete: z.boolean().describe('False when something is in `unread`: there may be more than is listed.'),
    accounts: z.array(dependentAccount),
    otherResources: z.array(
      z.looseObject({
        id: z.string(),
        type: z.string(),
        whenRevoked: z
          .string()
          .optional()
          .describe('What becomes of it, and what it takes to be back. Absent: what it uses the key for is not known.'),
      }),
    ),
    selfLockout: z.union([z.boolean(), z.literal('unknown')]).describe("Whether the app's own storage uses the key."),
    unread: z.array(unread),
    outOfSight: z
      .string()
      .optional()
      .describe('Resources that are never shown, as the app is deployed: `complete` says nothing of them.'),
  })
  .describe('What stops working while the key is revoked.');

const AUDITED = {
  audit: z.string().describe('`written`, or why the audit trail could not be written.'),
  auditReceipt: z
    .string()
    .optional()
    .describe(
      'Number and hash of the audit record: `npm run audit -- verify --receipt` proves later that it is there.',
    ),
};
const WARNINGS = z.array(z.string()).describe('What could not be written or read, and what to do about it.');

export const REVOKE_RESPONSE = z.object({
  key: z.string(),
  reason: z.enum(['Revoked', 'DryRun']),
  complete: z.boolean(),
  revocation: revocation.optional(),
  versions: z.array(versionReport),
  elapsedMs: z
    .number()
    .describe('From the call to the end of the last writes, in milliseconds; 0 when nothing was written.'),
  dependents: blastRadius,
  usage: LOGGED_USAGE.optional(),
  ...AUDITED,
  warnings: WARNINGS,
});

const access = z.object({
  account: z.string(),
  ready: z.union([z.boolean(), z.literal('unknown')]),
  missing: z.array(z.string()).describe('What has to be put right before the account can use the key again.'),
});

export const RESTORE_RESPONSE = z.object({
  key: z.string(),
  reason: z.enum(['Restored', 'NothingToRestore']),
  complete: z.boolean(),
  recovered: z.boolean().describe('The key was soft-deleted and has been recovered first.'),
  revocation: revocation.optional(),
  versions: z.array(versionReport),
  accounts: z.array(access),
  ...AUDITED,
  warnings: WARNINGS,
});

export const KEY_STATUS = z.object({
  key: z.string(),
  versions: z.array(version),
  newestUsable: z.string().optional(),
  revocation: revocation.optional(),
  paused: PAUSED.optional().describe(
    'Moves onto the key, and its rotation by the app, are paused. Break-glass is not.',
  ),
  dependents: blastRadius,
  effect: z
    .array(
      z.looseObject({
        account: z.string(),
        service: z.enum(['file', 'blob']),
        state: z.enum(['blocked', 'open', 'unknown']),
        since: z.string().optional(),
      }),
    )
    .describe(
      'Whether the file service of each account, and its blob service where `CMK_PROBE_BLOBS` is on, serves data, as asked for real, and since when.',
    ),
  effectTimes: EFFECT_TIMES.optional(),
  ...KEY_DETAIL,
  usage: LOGGED_USAGE.optional(),
  approvals: APPROVALS_PART,
  warnings: WARNINGS,
});

export const APPROVAL_GIVEN = z.object({
  approval: APPROVAL,
  restore: RESTORE_RESPONSE.optional().describe('What was done, once the last one has approved.'),
  pauses: z.array(PAUSE).optional().describe('Every pause that stands now, once the last one has approved one.'),
});

export type RevokeRequest = z.output<typeof REVOKE_REQUEST>;
export type RestoreRequest = z.output<typeof RESTORE_REQUEST>;
export type RevokeResponse = z.input<typeof REVOKE_RESPONSE>;
export type RestoreResponse = z.input<typeof RESTORE_RESPONSE>;
export type KeyStatusResponse = z.input<typeof KEY_STATUS>;
/** How a key stands by itself. */
export type KeyStanding = Omit<KeyStatusResponse, 'approvals'>;
