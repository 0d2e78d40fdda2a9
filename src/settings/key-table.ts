import { z } from 'zod';
import { setting } from './setting.ts';

/** Settings of what keys have to be; a part of the table of all settings. */
export const KEY_SETTINGS = {
  CMK_KEY_MAX_AGE_DAYS: setting({
    schema: z.coerce.number('is not a number').int().min(1).max(36_500).optional(),
    example: '730',
    description: 'Days after which a key version is too old.',
    fallback: '`730`, two years',
  }),
  CMK_KEY_MINIMUM: setting({
    schema: z
      .string()
      .trim()
      .toUpperCase()
      .regex(/^RSA(?:-HSM)?-(?:2048|3072|4096)$/, 'is not RSA or RSA-HSM with 2048, 3072 or 4096 bits')
      .transform((kind) => ({ bits: Number(kind.slice(-4)), hsm: kind.startsWith('RSA-HSM') }))
      .optional(),
    example: 'RSA-HSM-3072',
    description:
      'What a key has to be at least: `RSA-` and its bits, or `RSA-HSM-` and its bits for a key in hardware.',
    fallback: 'what Storage takes',
  }),
} as const;
