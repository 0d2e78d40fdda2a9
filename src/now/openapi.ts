import { z } from 'zod';
import type { ApiOperation } from '../http/openapi.ts';
import { NOW } from './schemas.ts';

export const NOW_OPERATIONS: readonly ApiOperation[] = [
  {
    id: 'now',
    method: 'get',
    path: '/now',
    summary: 'How things stand now: whether all is well, and what one looks at for it.',
    description:
      'Each part has when it was read, or why it is not there: `problem` where it could not be read or the caller may not see it, `reading` where it takes longer than a moment. It shows what is not as usual; the path that a part names has all. What is read is kept for 5 to 20 seconds, or for as long as it took to read.',
    role: 'CmkKey.Read',
    parameters: [
      {
        name: 'changed',
        in: 'query',
        description: '`true`: with `If-None-Match`, parts that are as they were then are left out.',
        schema: z.enum(['true', 'false']).optional(),
      },
    ],
    responses: { 200: { description: 'The line, and the parts.', schema: 'Now' } },
    conditional: true,
    problems: { 400: ['QueryInvalid'] },
  },
];

export const NOW_RESPONSES = { Now: NOW };
