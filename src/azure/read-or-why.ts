import { describe, describeFailure, type Failure } from './failure.ts';

/** Something that was asked for: what was read, or why it could not be. */
export type Part<T> = { readonly value: T } | { readonly unread: UnreadPart };

/** What could not be read, so that what it holds is not known. */
export interface UnreadPart {
  /** ARM id or key identifier. */
  readonly resource: string;
  /** In words: `the storage accounts of the subscription`. */
  readonly what: string;
  readonly detail: string;
  readonly kind: Failure['kind'] | 'timeUp';
  /** The Azure RBAC action that reading it takes. */
  readonly action: string;
  /** No data hangs on it: that it could not be read is advice, and the check is complete without it. */
  readonly beside?: boolean;
}

export type What = Pick<UnreadPart, 'resource' | 'what' | 'action' | 'beside'>;

/** Reads a part; an error becomes part of the answer, and nothing is thrown. */
export async function readPart<T>(what: What, read: () => Promise<T>): Promise<Part<T>> {
  try {
    return { value: await read() };
  } catch (error) {
    return { unread: unreadPart(what, error) };
  }
}

export function unreadPart(what: What, error: unknown): UnreadPart {
  const failure = describeFailure(error);
  return { ...what, kind: failure.kind, detail: describe(failure) };
}

export function known<T>(part: Part<T> | undefined): T | undefined {
  return part && 'value' in part ? part.value : undefined;
}

/** What could not be read, each part once. */
export function unreadOf(parts: Iterable<Part<unknown> | undefined>): UnreadPart[] {
  return [...new Set([...parts].flatMap((part) => (part && 'unread' in part ? [part.unread] : [])))];
}
