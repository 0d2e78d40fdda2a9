import { createHash } from 'node:crypto';

/** Reasons of findings about failed reads. */
export const FAILED_READS: ReadonlySet<string> = new Set(['Unreadable', 'MissingPermission']);

/** The id of a cause, from the resources that one repair changes. */
export function createCauseId(reason: string, about: readonly string[]): string {
  return createFindingId(reason, about.join('\n'));
}

/** Stable across checks. */
export function createFindingId(reason: string, resource: string, part = ''): string {
  return createHash('sha256').update(`${reason}\n${resource.toLowerCase()}\n${part}`).digest('hex').slice(0, 16);
}
