import { z } from 'zod';

export const OBJECT_ID = z.guid();
const LOCAL_SCOPE = z.union([
  z.enum(['/', '/keys']),
  z.templateLiteral(['/keys/', z.string().regex(/^[0-9A-Za-z-]{1,127}$/)]),
]);
/** One thing that a revocation below the key took away, as its record and a message carry it. */
export const RECORDED_TAKEN = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('scope'), name: z.string().min(1).max(63) }),
  z.strictObject({
    kind: z.literal('role'),
    name: z.guid(),
    scope: z.string().startsWith('/subscriptions/'),
    principalId: OBJECT_ID,
    description: z.string().optional(),
    condition: z.string().optional(),
    conditionVersion: z.string().optional(),
  }),
  z.strictObject({
    kind: z.literal('localRole'),
    name: z.guid(),
    hsm: z.url({ protocol: /^https$/ }),
    scope: LOCAL_SCOPE,
    principalId: OBJECT_ID,
  }),
]);

/** All that a restore gives back. It was in tags, which hold less than 13,000 characters. */
export const GIVES = z.array(RECORDED_TAKEN).max(500).optional();
