import { z } from 'zod';
import type { ApiOperation } from '../../http/openapi.ts';
import { KEY_LIST } from '../key-view.ts';
import { TREND } from '../trend.ts';

/** The calls about keys and about the last days. */
export const OVERVIEW_OPERATIONS: readonly ApiOperation[] = [
  {
    id: 'keys',
    method: 'get',
    path: '/keys',
    summary: 'The keys of the managed vaults: how each stands, who uses it, when it is rotated next.',
    description:
      'Those that the role of the caller reaches. A vault that cannot be listed shows the keys that are in use; what cannot be read is said in `unread`, and the rest is there.',
    role: 'CmkKey.Read',
    parameters: [
      {
        name: 'vault',
        in: 'query',
        description: 'Only keys of this vault: its name.',
        schema: z.string().max(1_000).optional(),
      },
      {
        name: 'after',
        in: 'query',
        description: 'Where the page begins, as `nextLink` has it.',
        schema: z.string().max(1_000).optional(),
      },
    ],
    responses: { 200: { description: 'At most 50 of them, by vault and name.', schema: 'KeyList' } },
    conditional: true,
    problems: { 400: ['QueryInvalid'] },
  },
  {
    id: 'trend',
    method: 'get',
    path: '/trend',
    summary: 'The last 30 days, one entry a day (UTC), the oldest first.',
    description:
      'Findings and accounts behind as the last drift check of the day found them; rotations, revocations and restores as the audit trail has them. The drift check sums a day up; what has happened today since is read.',
    role: 'CmkKey.Read',
    responses: { 200: { description: 'Always 30 entries; what is not known of a day is absent.', schema: 'Trend' } },
    conditional: true,
    problems: { 503: ['ServiceUnavailable'] },
  },
];

export const OVERVIEW_RESPONSES = { KeyList: KEY_LIST, Trend: TREND };
