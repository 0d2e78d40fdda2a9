import { z } from 'zod';
import { onOff, setting } from './setting.ts';

/** Settings of what keys have to be; a part of the table of all settings. */
export const KEY_SETTINGS = {
  CMK_KEY_MAX_AGE_DAYS: setting({
    schema: z.coerce.number('is not a number').int().min(1).max(36_500).optional(),
    example: '730',
    description: 'Days after which a key version is too old.',
    fallback: '`730`, two years',
  }),
  CMK_KEY_MIN_BITS: setting({
    schema: z
      .enum(['2048', '3072', '4096'], 'is none of 2048, 3072 and 4096')
      .transform((bits) => Number(bits))
      .optional(),
    example: '3072',
    description: 'Bits that an RSA key has to have at least.',
    fallback: 'what Storage takes',
  }),
  CMK_REQUIRE_HSM: setting({
    schema: onOff.optional(),
    example: 'on',
    description: 'Whether keys have to be in hardware (`RSA-HSM`), not in software.',
    fallback: '`off`',
  }),
  CMK_NO_EXPIRY: setting({
    schema: z
      .string()
      .trim()
      .toLowerCase()
      .pipe(z.enum(['error', 'warning', 'advice'], 'is none of "error", "warning" and "advice"'))
      .optional(),
    example: 'warning',
    description: 'How bad a key is that never expires: `error`, `warning` or `advice`.',
    fallback: '`advice`',
  }),
} as const;
