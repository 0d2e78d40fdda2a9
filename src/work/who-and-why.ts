import { z } from 'zod';

/** Longest texts of people and their tokens in a message; the writer cuts off the rest. In characters. */
export const MOST_CHARACTERS = {
  id: 64,
  appId: 100,
  tokenId: 200,
  name: 300,
  ref: 200,
  why: 2_000,
  ticket: 200,
} as const;

/** Who revoked or restored, and why. */
export const SAID = z.strictObject({
  caller: z.strictObject({
    objectId: z.string().max(MOST_CHARACTERS.id),
    appId: z.string().max(MOST_CHARACTERS.appId),
    kind: z.enum(['person', 'application']).optional(),
    tokenId: z.string().max(MOST_CHARACTERS.tokenId).optional(),
    name: z.string().max(MOST_CHARACTERS.name).optional(),
  }),
  correlationId: z.string().max(MOST_CHARACTERS.ref),
  why: z.string().max(MOST_CHARACTERS.why),
  ticket: z.string().max(MOST_CHARACTERS.ticket).optional(),
});
