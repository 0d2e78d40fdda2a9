import type { ArmRequest } from './arm-request.ts';

/** One page of a list: `value`, and `nextLink` when there is more. The token is the position to go on from. */
export function page<T>(
  request: Pick<ArmRequest, 'path' | 'query'>,
  items: readonly T[],
  size: number,
  show: (item: T) => unknown,
): { value: unknown[]; nextLink?: string } {
  const start = Math.max(0, Number.parseInt(request.query.get('$skiptoken') ?? '0', 10) || 0);
  const value = items.slice(start, start + size).map(show);
  if (start + size >= items.length) return { value };
  const query = new URLSearchParams(request.query);
  query.set('$skiptoken', String(start + size));
  return { value, nextLink: `https://management.azure.com${encodeURI(request.path.id)}?${query}` };
}
