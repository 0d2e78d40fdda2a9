import { describeError, describeFailure, type Failure } from './failure.ts';

/** A value that was read, or the reason why the read failed. */
export type Part<T> = { readonly value: T } | { readonly unread: UnreadPart };

/** A failed read, whose value is therefore unknown. */
export interface UnreadPart {
  /** ARM id or key identifier. */
  readonly resource: string;
  /** Description: `the storage accounts of the subscription`. */
  readonly what: string;
  readonly detail: string;
  readonly kind: Failure['kind'] | 'timeUp';
  /** Azure RBAC action that the read requires. */
  readonly action: string;
  /** No data depends on this part: a failed read is only advice, and the check is complete without it. */
  readonly isOptional?: boolean;
}

export type What = Pick<UnreadPart, 'resource' | 'what' | 'action' | 'isOptional'>;

/** Reads a part. Never throws: returns an error as the reason. */
export async function readPart<T>(what: What, read: () => Promise<T>): Promise<Part<T>> {
  try {
    return { value: await read() };
  } catch (error) {
    return { unread: toUnreadPart(what, error) };
  }
}

export function toUnreadPart(what: What, error: unknown): UnreadPart {
  return { ...what, kind: describeFailure(error).kind, detail: describeError(error) };
}

export function getKnown<T>(part: Part<T> | undefined): T | undefined {
  return part && 'value' in part ? part.value : undefined;
}

/** Lists each failed read once. */
export function listUnread(parts: Iterable<Part<unknown> | undefined>): UnreadPart[] {
  return [...new Set([...parts].flatMap((part) => (part && 'unread' in part ? [part.unread] : [])))];
}
