import { z } from 'zod';
import { onOff, setting } from './setting.ts';

/** A loopback address keeps what is sent on the machine; anywhere else it has to be encrypted. */
const LOOPBACK = /^http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/;

/** Settings of the page; a part of the table of all settings. */
export const PAGE_SETTINGS = {
  CMK_PAGE: setting({
    schema: onOff.optional(),
    example: 'on',
    description: 'Whether the app serves its page at `/`; `off` takes it away.',
    fallback: '`on`',
  }),
  CMK_PAGE_SIGN_IN: setting({
    schema: z
      .string()
      .trim()
      .regex(/^https?:\/\/[^/\s;,'"]+\/?$/i, 'is not the origin of a sign-in service')
      .transform((url) => new URL(url).origin)
      .refine((origin) => origin.startsWith('https://') || LOOPBACK.test(origin), 'is not encrypted (https)')
      .optional(),
    example: 'https://login.microsoftonline.com',
    description:
      'Where people sign in to the page: the origin of Entra ID under another name than the usual one of the cloud.',
    fallback: "the cloud's own",
  }),
} as const;
