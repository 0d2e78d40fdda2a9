import { z } from 'zod';
import { type ApiOperation, STORAGE_UNREAD } from '../http/openapi.ts';
import { readableText } from '../http/readable-text.ts';
import { TEXT_LENGTHS } from '../http/text-lengths.ts';
import { REKEY } from '../orders/standing-orders.ts';

const KEY = z
  .string()
  .max(200)
  .regex(/^[A-Za-z][0-9A-Za-z-]{1,23}\/[0-9A-Za-z-]{1,127}$/, 'write it as <vault>/<key>');
const reason = readableText(TEXT_LENGTHS.reason).describe('Why, in your own words. It goes into the audit trail.');

export const REKEY_REQUEST = z.strictObject({
  from: KEY.describe('The key that everything moves off, as `<vault>/<key>`.'),
  to: KEY.describe('The key that everything moves to, likewise.'),
  reason,
  ticket: readableText(TEXT_LENGTHS.ticket).optional().describe('Incident or change number.'),
  maxFailures: z.int().min(1).max(1_000).optional().describe('With so many accounts failed it stops; 3 unless said.'),
});

export const REKEY_CHANGE = z.strictObject({ reason });

const problem = z.object({ reason: z.string(), detail: z.string(), fix: z.string() });
const check = z.object({
  problems: z.array(problem).describe('What blocks it; with any, nothing moves.'),
  warnings: z.array(z.string()).describe('What could not be told, and what will not move.'),
  accounts: z.int().describe('Accounts that use the old key, themselves or by a scope.'),
  withoutRole: z.array(z.string()).describe('Principals that lack their role on the new key.'),
});

const order = REKEY.extend({
  waits: z
    .object({ reason: z.string(), detail: z.string() })
    .optional()
    .describe('Why nothing moves, or it is not done.'),
});

const progress = z.object({
  moved: z.int().describe('Accounts and scopes on the target key by this order.'),
  waiting: z.int().describe('Known to be on the source key, and not failed.'),
  failed: z.int(),
  left: z.int().describe('Moved, and not on the target key any more: put elsewhere by others, or deleted.'),
  failures: z
    .array(
      z.object({
        account: z.string(),
        scope: z.string().optional(),
        reason: z.string(),
        detail: z.string(),
        at: z.iso.datetime(),
      }),
    )
    .describe('At most 100.'),
  incomplete: z.boolean().describe('The fleet index cannot be read: more may be waiting.'),
  toDo: z.array(z.string()).describe('What is left to a person.'),
});

export const REKEY_RESPONSES = {
  RekeyCheck: check,
  RekeyStarted: z.object({ check, order: REKEY }),
  RekeyStatus: z.object({ order, progress }),
  Rekeys: z.object({ value: z.array(REKEY) }),
};
export const REKEY_REQUESTS = { RekeyRequest: REKEY_REQUEST, RekeyChange: REKEY_CHANGE };

const ID = { name: 'id', in: 'path', description: 'Id of the re-key.', schema: z.string().min(1).max(64) } as const;
const CHANGED = { 404: ['RekeyNotFound'], 409: ['RekeyNotPossible'], ...STORAGE_UNREAD };

/** The calls of the functions `rekeys` and `changeRekey`. */
export const REKEY_OPERATIONS: readonly ApiOperation[] = [
  {
    id: 'listRekeys',
    method: 'get',
    path: '/rekeys',
    summary: 'The re-keys there were, newest first.',
    role: 'CmkKey.Read',
    responses: { 200: { description: 'The orders.', schema: 'Rekeys' } },
    problems: STORAGE_UNREAD,
  },
  {
    id: 'startRekey',
    method: 'post',
    path: '/rekeys',
    summary: 'Move everything that uses one key to another.',
    description:
      'Checked first; all that blocks it is in one answer. The order is open until nothing uses the old key any more. With `dryRun=true` it is only checked.',
    role: 'Cmk.Operate',
    parameters: [
      {
        name: 'dryRun',
        in: 'query',
        description: 'Check, and change nothing.',
        schema: z.enum(['true', 'false']).optional(),
      },
    ],
    request: 'RekeyRequest',
    responses: {
      200: { description: 'What blocks it, and what it would move.', schema: 'RekeyCheck' },
      201: { description: 'The order is open.', schema: 'RekeyStarted' },
    },
    problems: {
      400: ['QueryInvalid'],
      404: ['KeyNotManaged'],
      409: ['RekeyConflict', 'RekeyUnfit', 'TooManyOrders'],
      ...STORAGE_UNREAD,
    },
  },
  {
    id: 'rekeyStatus',
    method: 'get',
    path: '/rekeys/{id}',
    summary: 'How far a re-key is, what failed and why, and what is left to do.',
    role: 'CmkKey.Read',
    parameters: [ID],
    responses: { 200: { description: 'The order and its progress.', schema: 'RekeyStatus' } },
    problems: { 404: ['RekeyNotFound'], ...STORAGE_UNREAD },
  },
  {
    id: 'cancelRekey',
    method: 'delete',
    path: '/rekeys/{id}',
    summary: 'Take a re-key back: what it has moved goes back to the old key, by an order of its own.',
    description: 'With `keep=true` it ends, and everything stays where it is.',
    role: 'Cmk.Operate',
    parameters: [
      ID,
      { name: 'reason', in: 'query', description: 'Why; it goes into the audit trail.', schema: reason },
      {
        name: 'keep',
        in: 'query',
        description: 'End it, and move nothing back.',
        schema: z.enum(['true', 'false']).optional(),
      },
    ],
    responses: {
      202: {
        description: 'The order that takes it back, or with `keep` the one that has ended.',
        schema: 'RekeyStatus',
      },
    },
    problems: {
      400: ['QueryInvalid'],
      404: ['RekeyNotFound'],
      409: [
        'KeyNotFound',
        'NewestVersionUnusable',
        'NoUsableVersion',
        'RekeyConflict',
        'RekeyNotPossible',
        'RevocationOpen',
        'TooManyOrders',
      ],
      502: ['VaultUnreadable'],
      ...STORAGE_UNREAD,
    },
  },
  {
    id: 'pauseRekey',
    method: 'post',
    path: '/rekeys/{id}/pause',
    summary: 'Let nothing move until it is resumed.',
    role: 'Cmk.Operate',
    parameters: [ID],
    request: 'RekeyChange',
    responses: { 200: { description: 'The order and its progress.', schema: 'RekeyStatus' } },
    problems: CHANGED,
  },
  {
    id: 'resumeRekey',
    method: 'post',
    path: '/rekeys/{id}/resume',
    summary: 'Go on; what failed before is tried again.',
    role: 'Cmk.Operate',
    parameters: [ID],
    request: 'RekeyChange',
    responses: { 200: { description: 'The order and its progress.', schema: 'RekeyStatus' } },
    problems: CHANGED,
  },
];
