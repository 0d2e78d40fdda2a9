import { z } from 'zod';

// The audit trail as the API shows it.

const AUDIT_RECORD = z.object({
  seq: z.int().positive().describe('Number of the record in the chain.'),
  id: z.string(),
  time: z.iso.datetime(),
  hash: z.string().describe('SHA-256 of the line without its hash, in hexadecimal.'),
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

export const AUDIT_LIST = z.object({
  value: z.array(AUDIT_RECORD).describe('Newest first.'),
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
  prev: z.string().describe('Hash of the record before. `cmk audit verify` checks the chain.'),
});

export type AuditRecordView = z.output<typeof AUDIT_RECORD>;
export type AuditRecordWhole = z.output<typeof AUDIT_RECORD_WHOLE>;
