/** One stage of a query, between two `|`. */
export type Stage =
  | { readonly stage: 'type'; readonly types: readonly string[]; readonly ignoreCase: boolean }
  /** One of the texts has to match. */
  | { readonly stage: 'contains'; readonly texts: readonly string[] }
  | { readonly stage: 'in'; readonly path: string; readonly texts: readonly string[] }
  | { readonly stage: 'project'; readonly columns: readonly string[] }
  | { readonly stage: 'order'; readonly column: string; readonly descending: boolean }
  | { readonly stage: 'limit'; readonly rows: number };

/** A query that the local Resource Graph does not support. Azure supports many more. */
export class QueryError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'QueryError';
  }
}

const literal = String.raw`'[^'\\]*'|"[^"\\]*"`;
const types = new RegExp(
  String.raw`^where\s+type\s+(in~|in)\s*\(\s*((?:${literal})(?:\s*,\s*(?:${literal}))*)\s*\)$`,
  'i',
);
const oneType = new RegExp(String.raw`^where\s+type\s*(=~|==)\s*(${literal})$`, 'i');
const contained = String.raw`tostring\(\s*properties\s*\)\s+contains\s+(?:${literal})`;
const contains = new RegExp(String.raw`^where\s+${contained}(?:\s+or\s+${contained})*$`, 'i');
const among = new RegExp(
  String.raw`^where\s+tostring\(\s*([a-z]\w*(?:\.\w+)*)\s*\)\s+in~\s*\(\s*((?:${literal})(?:\s*,\s*(?:${literal}))*)\s*\)$`,
  'i',
);
const project = /^project\s+([a-z]\w*(?:\.\w+)*(?:\s*,\s*[a-z]\w*(?:\.\w+)*)*)$/i;
const order = /^(?:order|sort)\s+by\s+([a-z]\w*)(?:\s+(asc|desc))?$/i;
const limit = /^(?:limit|take)\s+(\d+)$/i;

/**
 * Parses a query over the `resources` table, in the supported part of the Kusto language. A query without a table is
 * about that one.
 */
export function parseQuery(text: string): Stage[] {
  const [first = '', ...rest] = split(text);
  if (/^(where|project|order|sort|limit|take)\s/i.test(first)) return [first, ...rest].map(parseStage);
  if (first.toLowerCase() !== 'resources') throw new QueryError(`The table '${first}' is not served: resources is.`);
  return rest.map(parseStage);
}

function parseStage(text: string): Stage {
  const listed = types.exec(text);
  if (listed) {
    const [, operator = '', list = ''] = listed;
    return { stage: 'type', types: quoted(list), ignoreCase: operator.endsWith('~') };
  }

  const single = oneType.exec(text);
  if (single) return { stage: 'type', types: [unquote(single[2] ?? '')], ignoreCase: single[1] === '=~' };
  if (contains.test(text)) return { stage: 'contains', texts: quoted(text) };

  const [, path, list] = among.exec(text) ?? [];
  if (path !== undefined && list !== undefined) return { stage: 'in', path, texts: quoted(list) };

  const projected = project.exec(text);
  if (projected) return { stage: 'project', columns: (projected[1] ?? '').split(',').map((column) => column.trim()) };

  const ordered = order.exec(text);

  // Kusto's default order is descending.
  if (ordered) return { stage: 'order', column: ordered[1] ?? '', descending: ordered[2]?.toLowerCase() !== 'asc' };

  const limited = limit.exec(text);
  if (limited) return { stage: 'limit', rows: Number(limited[1]) };

  throw new QueryError(`This part of the query is not served: ${text}`);
}

/** Splits at each `|` outside strings. */
function split(text: string): string[] {
  const parts = text.match(new RegExp(`(?:${literal}|[^|'"])+|['"|]`, 'g')) ?? [];
  if (parts.some((part) => part === "'" || part === '"')) throw new QueryError('A string does not end.');
  return parts.filter((part) => part !== '|').map((part) => part.trim());
}

/** The strings in a text. */
function quoted(text: string): string[] {
  return [...text.matchAll(new RegExp(literal, 'g'))].map(([one]) => unquote(one));
}

function unquote(text: string): string {
  return text.slice(1, -1);
}
