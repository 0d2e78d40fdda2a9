import { z } from 'zod';
import { parseJson } from '../text.ts';

/** A property of a table holds 32,768 characters, of which an account's 50 tags may need more. */
const MOST = 30_000;
const TAGS = z.record(z.string(), z.string());

/** Tags as a property of a row; where all of them are too long, only the app's own. */
export function formatTags(tags: Readonly<Record<string, string>>): string {
  const all = JSON.stringify(tags);
  if (all.length <= MOST) return all;
  return JSON.stringify(Object.fromEntries(Object.entries(tags).filter(([name]) => /^cmk-/i.test(name))));
}

/** Unreadable tags count as absent: the next write of the account stores them again. */
export function parseTags(text: string | undefined): { readonly tags?: Readonly<Record<string, string>> } {
  const tags = TAGS.safeParse(parseJson(text ?? '')).data;
  return tags ? { tags } : {};
}
