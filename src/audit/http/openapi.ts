import { z } from 'zod';
import { type ApiOperation, type Parameter, STORAGE_UNREAD } from '../../http/openapi.ts';
import { AUDIT_LIST, AUDIT_RECORD_WHOLE, AUDIT_VERIFICATION } from '../trail-view.ts';

const filter = (name: string, description: string): Parameter => ({
  name,
  in: 'query',
  description,
  schema: z.string().max(1_000).optional(),
});

export const AUDIT_OPERATIONS: readonly ApiOperation[] = [
  {
    id: 'audit',
    method: 'get',
    path: '/audit',
    summary: 'What was done to keys and accounts, by whom and why; the newest first.',
    description:
      'A caller whose role is narrowed sees the records that are about keys in its reach alone. Every condition that is given has to hold.',
    role: 'CmkKey.Read',
    parameters: [
      filter('key', 'About this key: `<key>`, `<vault>/<key>` or an identifier.'),
      filter('vault', 'About keys of this vault: its name.'),
      filter('account', 'About this storage account: name or ARM id.'),
      filter('by', 'By this person or application: object id or name; `app`: by the app itself.'),
      filter('action', 'What was done, `key.revoke`, or all of one kind, `key`.'),
      filter('since', 'Since then: a date, a time (ISO 8601, UTC) or a duration ago (`P7D`).'),
      filter('until', 'Before then; a date means the end of that day.'),
      filter('after', 'Where the page begins, as `nextLink` has it.'),
    ],
    responses: {
      200: {
        description: 'At most 100 of them; with `Accept: text/csv` at most 1,000 as CSV, and `Link` to the next.',
        schema: 'AuditList',
        text: 'text/csv',
      },
    },
    conditional: true,
    problems: { 400: ['QueryInvalid'], ...STORAGE_UNREAD },
  },
  {
    id: 'auditVerification',
    method: 'get',
    path: '/audit/verification',
    summary: 'Whether the audit trail is as it was: no record changed, removed, moved or put in.',
    description:
      'From where the trail ended when the last drift check verified it, to the last record. `cmk audit verify` checks all of it.',
    role: 'CmkKey.Read',
    responses: { 200: { description: 'What was found.', schema: 'AuditVerification' } },
    conditional: true,
  },
  {
    id: 'auditRecord',
    method: 'get',
    path: '/audit/{id}',
    summary: 'One record, whole, with its place in the chain.',
    role: 'CmkKey.Read',
    parameters: [
      {
        name: 'id',
        in: 'path',
        description: 'Number (`seq`) of the record. Its `id` does too, as long as it is not older than 30 days.',
        schema: z.string().min(1).max(100),
      },
    ],
    responses: { 200: { description: 'The record.', schema: 'AuditRecord' } },
    problems: { 404: ['AuditRecordNotFound'], ...STORAGE_UNREAD },
  },
];

export const AUDIT_RESPONSES = {
  AuditList: AUDIT_LIST,
  AuditRecord: AUDIT_RECORD_WHOLE,
  AuditVerification: AUDIT_VERIFICATION,
};
