import { z } from 'zod';
import { type ApiOperation, STORAGE_UNREAD } from '../http/openapi.ts';
import { readableText } from '../http/readable-text.ts';
import { TEXT_LENGTHS } from '../http/text-lengths.ts';
import { PAUSE } from './standing-orders.ts';

/** Bodies and answers of pause and resume. The OpenAPI document is made from these same schemas. */

/** Characters of `<vault>/<key>`, least and most. */
const KEY_LENGTH = [3, 152] as const;

const said = {
  reason: readableText(TEXT_LENGTHS.reason).describe('Why, in your own words. It goes into the audit trail.'),
  ticket: readableText(TEXT_LENGTHS.ticket).optional().describe('Change or incident number.'),
  key: z
    .string()
    .trim()
    .min(KEY_LENGTH[0])
    .max(KEY_LENGTH[1])
    .optional()
    .describe('`<vault>/<key>`; left out: all keys.'),
};

export const PAUSE_REQUEST = z.strictObject({
  ...said,
  until: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('When it ends by itself (ISO 8601); absent: when an operator resumes.'),
});
export const RESUME_REQUEST = z.strictObject(said);

export const CONTROL_RESPONSE = z.object({
  pauses: z.array(PAUSE).describe('Every pause that has not ended.'),
  ended: z.array(PAUSE).describe('Pauses that this call has ended, or taken the place of.'),
  audit: z.string().describe('`written`, or why the audit trail could not be written.'),
  warnings: z.array(z.string()),
});

/** The calls of the functions `pause` and `resume`. */
export const PAUSE_OPERATIONS: readonly ApiOperation[] = [
  {
    id: 'pause',
    method: 'post',
    path: '/pause',
    summary: 'Have all moves and rotations wait, of one key or of all. Break-glass is not paused.',
    description: 'Safe to repeat: a later pause of the same key, or of all, takes the place of the one before.',
    role: 'Cmk.Operate',
    request: 'PauseRequest',
    responses: { 200: { description: 'What is paused now.', schema: 'ControlResponse' } },
    problems: { 404: ['KeyNotManaged'], ...STORAGE_UNREAD },
  },
  {
    id: 'resume',
    method: 'post',
    path: '/resume',
    summary: 'End a pause; with a key, have its rotation go on whatever holds it.',
    role: 'Cmk.Operate',
    request: 'ResumeRequest',
    responses: { 200: { description: 'What is still paused.', schema: 'ControlResponse' } },
    problems: { 404: ['KeyNotManaged'], ...STORAGE_UNREAD },
  },
];

export const PAUSE_REQUESTS = { PauseRequest: PAUSE_REQUEST, ResumeRequest: RESUME_REQUEST };
export const PAUSE_RESPONSES = { ControlResponse: CONTROL_RESPONSE };
