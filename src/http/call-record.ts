import type { RouteKey } from './access.ts';
import type { HeaderReader } from './headers.ts';

/** What of a request is known before anything of it is believed, for the log. */
export interface CallRecord {
  /** Name of the function. */
  readonly call: string;
  readonly method: string;
  /** As named; it need not exist. */
  readonly key: string | undefined;
  /** Likewise. */
  readonly account?: string | undefined;
  /** Of a re-key or an audit record, as named; it need not exist. */
  readonly id: string | undefined;
  readonly address: string | undefined;
  readonly correlationId: string;
}

/** Longest address that is written down, in characters: IPv6 in brackets with its port fits. */
const MAX_ADDRESS_LENGTH = 64;

/**
 * Where a call comes from: the last entry of `X-Forwarded-For`, which is the platform's own. Those before it are whatever
 * the caller has sent. It helps to find somebody, and proves nothing.
 */
export function addressOf(headers: HeaderReader): string | undefined {
  const last = headers.get('x-forwarded-for')?.split(',').at(-1)?.trim();
  return last && last.length <= MAX_ADDRESS_LENGTH && /^[0-9a-f.:[\]]+$/i.test(last) ? last : undefined;
}

/** The key that a route names. Undefined for a route about no single key. */
export function keyNamed(params: Readonly<Record<string, string>>): RouteKey | undefined {
  const { vault, key } = params;
  return vault === undefined || key === undefined ? undefined : { vault, key };
}

/** The id that a route names, as far as it can be one. */
export function idNamed({ id }: Readonly<Record<string, string>>): string | undefined {
  return id === undefined || /^[\w-]{1,64}$/.test(id) ? id : 'no id';
}

/** What is named, as far as it can be a name. */
export function nameForLog(named: RouteKey | undefined): string | undefined {
  if (!named) return undefined;
  const name = `${named.vault}/${named.key}`;
  return /^[\w-]{1,64}\/[\w-]{1,127}$/.test(name) ? name : 'no name of a key';
}
