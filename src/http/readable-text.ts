import { z } from 'zod';
import { isReadable, NOT_READABLE } from './is-readable.ts';

/** What a caller says, as a field of a body. @param least and most characters */
export function readableText([least, most]: readonly [number, number]) {
  return z.string().trim().min(least).max(most).refine(isReadable, NOT_READABLE);
}
