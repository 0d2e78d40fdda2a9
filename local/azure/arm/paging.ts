import type { ArmRequest } from './arm-request.ts';

/**
 * One page of a list: `value`, and `nextLink` if there are more items. The token is the next position. With
 * `emptyLastPage` a list ends with an empty page, as Key Vault's provider does (recorded).
 */
export function page<T>(
  request: Pick<ArmRequest, 'world' | 'path' | 'query'>,
  items: readonly T[],
  size: number,
  show: (item: T) => unknown,
  end?: 'emptyLastPage',
): { value: unknown[]; nextLink?: string } {
  const token = request.query.get('$skiptoken');
  const start = Math.max(0, Number.parseInt(token ?? '0', 10) || 0);
  const isEmptyFirst = request.world.settings.sparseAnswers && token === null;
  const value = isEmptyFirst ? [] : items.slice(start, start + size).map(show);
  const isLast = end === 'emptyLastPage' ? value.length === 0 : start + size >= items.length;
  if (isLast && !isEmptyFirst) return { value };

  const query = new URLSearchParams(request.query);

  query.set('$skiptoken', String(start + value.length));

  return { value, nextLink: `https://management.azure.com${encodeURI(request.path.id)}?${query}` };
}
