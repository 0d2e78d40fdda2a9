import { z } from 'zod';

// The audit trail as the API shows it.

const AUDIT_RECORD = z.object({
  seq: z.int().positive().describe('Number of the record in the chain.'),
  id: z.string(),
  time: z.iso.datetime(),
  hash: z.string().describe('SHA-256 of the line without its hash, in hexadecimal.'),
  intact: z.boolean().describe('Whether `hash` is the hash of this record.'),
  file: z.string().describe('File of the trail that has the record.'),
  entry: z
    .looseObject({
      id: z.string().optional().describe('Id of the event, if several processes may record it.'),
      action: z.string().describe('Action: `key.revoke`, `account.move`.'),
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
        .describe('Caller of the action; absent: the app acted automatically.'),
      correlationId: z.string().optional(),
      details: z.record(z.string(), z.unknown()).optional(),
    })
    .describe('The recorded event.'),
});

export const AUDIT_LIST = z.object({
  value: z.array(AUDIT_RECORD).describe('Newest first.'),
  searchedBackTo: z.iso
    .datetime()
    .optional()
    .describe(
      'Set when the page ended because the call reached its read limit: time of the oldest record read. `nextLink` continues from there.',
    ),
  nextLink: z.string().optional().describe('Next page with older records; an empty page may have a next page.'),
});

export const AUDIT_RECORD_WHOLE = AUDIT_RECORD.partial({ entry: true }).extend({
  next: z.string().optional().describe('Next file of the chain. Only a closing record has it, in place of `entry`.'),
  line: z.string().describe('Line of the record in the file, from which you can recompute its hash.'),
  prev: z.string().describe('Hash of the previous record. `cmk audit verify` checks the chain.'),
});

export type AuditRecordView = z.output<typeof AUDIT_RECORD>;
export type AuditRecordWhole = z.output<typeof AUDIT_RECORD_WHOLE>;
