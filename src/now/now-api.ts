import type { HttpResponseInit } from '@azure/functions';
import { tagged, tagsHad } from '../http/etag.ts';
import type { HeaderReader } from '../http/headers.ts';
import { jsonResponse } from '../http/json-response.ts';
import { queryInvalid, queryOf } from '../http/query.ts';
import { judgeNow } from './judge-now.ts';
import { type NowSight, type SeenParts, seeParts } from './now-view.ts';
import type { TakeReadings } from './read-now.ts';
import type { NowAnswer, NowParts } from './schemas.ts';

/**
 * How things stand now, as one answer. Its ETag has a tag for each part, so that whoever has an earlier answer can be sent
 * what has changed alone.
 *
 * @throws {@link HttpProblem} `QueryInvalid`
 */
export async function showNow(
  { query, headers }: { readonly query: URLSearchParams; readonly headers: HeaderReader },
  sight: NowSight,
  take: TakeReadings,
): Promise<HttpResponseInit> {
  const { changed = 'false' } = queryOf(query, ['changed']);
  if (changed !== 'true' && changed !== 'false') throw queryInvalid('changed is true or false.', 'Leave it out.');
  const seen = await seeParts(take, sight);
  const parts = Object.fromEntries(entriesOf(seen).map(([name, { part }]) => [name, part])) as NowParts;
  const tags = entriesOf(seen).map(([, { tag }]) => tag);
  const sent = changed === 'true' ? changedOf(seen, tagsHad(headers), tags.length) : parts;
  const answer: NowAnswer = { ...judgeNow(parts), ...sent };
  return tagged(headers, jsonResponse(200, answer), tags.join('.'));
}

/** The parts that are not as whoever asks has them: the tags of one answer go by place. */
function changedOf(seen: SeenParts, had: readonly string[], parts: number): Partial<NowParts> {
  const before = had.map((tag) => tag.split('.')).find(({ length }) => length === parts) ?? [];
  const changed = entriesOf(seen).filter(([, { tag }], place) => tag !== before[place]);
  return Object.fromEntries(changed.map(([name, { part }]) => [name, part]));
}

type Entry = { readonly [P in keyof SeenParts]: readonly [P, SeenParts[P]] }[keyof SeenParts];

function entriesOf(seen: SeenParts): readonly Entry[] {
  return Object.entries(seen) as unknown as readonly Entry[];
}
