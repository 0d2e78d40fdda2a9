import { z } from 'zod';
import { partOf } from '../http/part.ts';

// The audit trail as the API shows it.

const hash = z.string().describe('SHA-256 of the line without its hash, in hexadecimal.');
const seq = z.int().positive().describe('Number of the record in the chain.');

const place = z.object({ file: z.string(), seq, hash });

export const AUDIT_RECORD = z.object({
  seq,
  id: z.string(),
  time: z.iso.datetime(),
  hash,
  intact: z.boolean().describe('Whether `hash` is the hash of this very record.'),
  file: z.string().describe('File of the trail that it stands in.'),
  entry: z
    .looseObject({
      id: z.string().optional().describe('Names what happened, where it may be recorded by more than one.'),
      action: z.string().describe('What was done: `key.revoke`, `account.move`.'),
      reason: z.string().describe('Reason code of the outcome.'),
      resource: z.string().describe('Key identifier or ARM id.'),
      caller: z
        .looseObject({
          objectId: z.string(),
          appId: z.string(),
          kind: z.string().optional(),
          name: z.string().optional(),
        })
        .optional()
        .describe('Who asked for it; absent: the app by itself.'),
      correlationId: z.string().optional(),
      details: z.record(z.string(), z.unknown()).optional(),
    })
    .describe('What happened, as it was written down.'),
});

const AUDIT_VERIFICATION = z.object({
  state: z
    .enum(['holds', 'broken', 'empty', 'unknown'])
    .describe(
      '`holds`: nothing is wrong from `verifiedTo` to the last record. `unknown`: it could not be read, see `detail`.',
    ),
  checkedOn: z.iso.datetime().describe('Within half a minute it is not checked again.'),
  detail: z.string().optional(),
  verifiedTo: place
    .optional()
    .describe('Where the trail ended when the last drift check verified it; absent: none has, and all of it was read.'),
  last: place.optional().describe('The last record there is.'),
  records: z.int().nonnegative().describe('Records that this check has read: from the day of `verifiedTo` on.'),
  findings: z
    .array(z.object({ reason: z.string(), file: z.string(), line: z.int().optional(), message: z.string() }))
    .describe('What is wrong; at most 100.'),
});

export const AUDIT_LIST = z.object({
  value: z.array(AUDIT_RECORD).describe('Newest first.'),
  proof: partOf(AUDIT_VERIFICATION)
    .optional()
    .describe(
      'Whether the trail is as it was, on the first page alone: from where the last drift check verified it to the last record. At most half a minute old.',
    ),
  searchedBackTo: z.iso
    .datetime()
    .optional()
    .describe(
      'The page ends here because a call reads so much at most: older ones are behind `nextLink`, if there are any.',
    ),
  nextLink: z.string().optional().describe('Where older ones are; a page may have none and still a next one.'),
});

export const AUDIT_RECORD_WHOLE = AUDIT_RECORD.partial({ entry: true }).extend({
  next: z
    .string()
    .optional()
    .describe('A record that closes its file has no `entry`, and names the file that goes on.'),
  line: z.string().describe('The record as it stands in the file: its hash can be computed anew.'),
  chain: z
    .object({
      prev: z.string().describe('Hash of the record before, as this one carries it.'),
      before: place.optional().describe('The record before it; absent: it is the first, or that cannot be read.'),
      after: place.optional().describe('The record after it; absent: it is the last.'),
      holds: z
        .boolean()
        .describe('It is intact, carries the hash of the one before, and the one after carries its hash.'),
    })
    .describe('Its place in the chain. `cmk audit verify` checks the whole chain.'),
});

export type AuditRecordView = z.output<typeof AUDIT_RECORD>;
export type AuditRecordWhole = z.output<typeof AUDIT_RECORD_WHOLE>;
export type AuditVerification = z.output<typeof AUDIT_VERIFICATION>;
export type AuditProof = NonNullable<z.output<typeof AUDIT_LIST>['proof']>;
