import { z } from 'zod';
import { SHOWN_PAUSE } from '../../fleet/rotation-progress.ts';
import { readableText } from '../../http/readable-text.ts';
import { TEXT_LENGTHS } from '../../http/text-lengths.ts';

/** Bodies and answers of the calls about pauses. The OpenAPI document is made from these same schemas. */

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
    .describe('When it ends by itself (ISO 8601); left out: when somebody resumes.'),
});
export const RESUME_REQUEST = z.strictObject(said);

export const CONTROL_RESPONSE = z.object({
  pauses: z.array(SHOWN_PAUSE).describe('Every pause that stands now.'),
  ended: z.array(SHOWN_PAUSE).describe('Pauses that this call has ended, or taken the place of.'),
  audit: z.string().describe('`written`, or why the audit trail could not be written.'),
  warnings: z.array(z.string()),
});
