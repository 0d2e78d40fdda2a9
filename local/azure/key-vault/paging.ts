import { badParameter } from './errors.ts';

/** Key Vault's pages have up to 25 items; `maxresults` may ask for fewer. */
const pageSize = 25;

/** One page of a list, with a link to the next one: an opaque skip token and, as recorded, an explicit port. */
export function page(
  items: Record<string, unknown>[],
  url: URL,
  apiVersion: string,
): { value: Record<string, unknown>[]; nextLink: string | null } {
  const asked = url.searchParams.get('maxresults');
  const size = asked === null ? pageSize : Number(asked);
  if (!Number.isInteger(size) || size < 1 || size > pageSize) {
    throw badParameter(`maxresults must be from 1 to ${pageSize}.`);
  }

  const start = readToken(url.searchParams.get('$skiptoken'));
  const end = start + size;
  if (end >= items.length) return { value: items.slice(start), nextLink: null };

  const token = Buffer.from(JSON.stringify({ next: end })).toString('base64url');
  const filter = url.searchParams.get('$filter');
  const more = `${asked === null ? '' : `&maxresults=${size}`}${filter === null ? '' : `&$filter=${encodeURIComponent(filter)}`}`;
  const nextLink = `https://${url.hostname}:443${url.pathname}?api-version=${apiVersion}&$skiptoken=${token}${more}`;

  return { value: items.slice(start, end), nextLink };
}

function readToken(token: string | null): number {
  if (token === null) return 0;
  try {
    const { next } = JSON.parse(Buffer.from(token, 'base64url').toString()) as { next?: unknown };
    if (typeof next === 'number') return next;
  } catch {
    // refused below
  }
  throw badParameter('The $skiptoken is not one of this service.');
}
