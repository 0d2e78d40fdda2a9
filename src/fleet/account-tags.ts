import { z } from 'zod';
import { parseJson } from '../text.ts';

/** A property of a table holds 32,768 characters, of which an account's 50 tags may need more. */
const MOST = 30_000;
const TAGS = z.record(z.string(), z.string());

/** As a property of a row; where all of them are too long, those of the app alone. */
export function formatTags(tags: Readonly<Record<string, string>>): string {
  const all = JSON.stringify(tags);
  if (all.length <= MOST) return all;
  return JSON.stringify(Object.fromEntries(Object.entries(tags).filter(([name]) => /^cmk-/i.test(name))));
}

/** What cannot be read is as not kept: the next look that changes anything writes it. */
export function parseTags(text: string | undefined): { readonly tags?: Readonly<Record<string, string>> } {
  const tags = TAGS.safeParse(parseJson(text ?? '')).data;
  return tags ? { tags } : {};
}
