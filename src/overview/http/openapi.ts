import { z } from 'zod';
import type { ApiOperation } from '../../http/openapi.ts';
import { KEY_LIST } from '../key-view.ts';

/** The calls about keys, beside those of break-glass. */
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
];

export const OVERVIEW_RESPONSES = { KeyList: KEY_LIST };
