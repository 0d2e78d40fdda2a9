import { z } from 'zod';
import { GUID } from '../http/auth-config.ts';

/** List of items separated by commas, spaces or line breaks. */
export const list = z.string().transform((text) =>
  text
    .split(/[\s,;]+/)
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);
export const guid = z.string().trim().regex(GUID, 'is not a GUID').toLowerCase();
export const onOff = z
  .string()
  .trim()
  .toLowerCase()
  .pipe(z.enum(['on', 'off'], 'is not "on" or "off"'))
  .transform((value) => value === 'on');

interface Setting<T extends z.ZodType> {
  readonly schema: T;
  /** Example of a valid value, shown with every problem. */
  readonly example: string;
  /** Sentence for docs/reference/settings.md and the sample. */
  readonly description: string;
  /** Behaviour when the setting is absent or empty, for docs/reference/settings.md. */
  readonly fallback: string;
}

export function createSetting<T extends z.ZodType>(definition: Setting<T>): Setting<T> {
  return definition;
}

/** A setting whose value is JSON. */
export const json = z.string().transform((text, context) => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    context.addIssue({ code: 'custom', message: 'is not JSON' });
    return z.NEVER;
  }
});
