import { z } from 'zod';
import { json } from './setting.ts';

/** Kinds of notifications; a target takes all of them, or those that it names. */
export const NOTIFICATION_KINDS = [
  'revoked',
  'revocationIncomplete',
  'restored',
  'restoreIncomplete',
  'rotationFinished',
  'rotationStuck',
  'nearExpiry',
  'newCauses',
  'digest',
] as const;
export type NotificationKind = (typeof NOTIFICATION_KINDS)[number];

const TARGET_KINDS = ['webhook', 'teams', 'slack'] as const;

/** Whom notifications go to. Address and secrets are kept out of every message, log and error. */
export interface NotifyTarget {
  readonly name: string;
  readonly kind: (typeof TARGET_KINDS)[number];
  readonly address: string;
  /** What the requests to a webhook are signed with, the current one first; none for the other kinds. */
  readonly secrets: readonly Buffer[];
  readonly notifications: readonly NotificationKind[];
}

/** From which hour of the day on (UTC) the digest is sent, unless the setting says otherwise. */
export const DEFAULT_DIGEST_HOUR = 6;
/** What the setting holds while App Service cannot resolve the reference (App Service, "Use Key Vault references"). */
const UNRESOLVED = /^@Microsoft\.KeyVault\(/i;

const address = z
  .string('is missing')
  .trim()
  .max(2_000, 'is longer than 2,000 characters')
  .refine(isHttpsUrl, 'is not an https URL without user name and fragment');

/** Standard Webhooks 1.0: 24 to 64 random bytes, in base64 behind `whsec_`. */
const secret = z
  .string('is not text')
  .trim()
  .regex(/^whsec_[A-Za-z0-9+/]+={0,2}$/, 'is not whsec_ followed by base64')
  .transform((text) => Buffer.from(text.slice('whsec_'.length), 'base64'))
  .refine(({ length }) => length >= 24 && length <= 64, 'does not have 24 to 64 bytes');

/** One, or several while one is replaced. */
const secrets = z.preprocess(
  (given) => (typeof given === 'string' ? [given] : given),
  z.array(secret, 'is not text').min(1, 'is empty').max(3, 'has more than three'),
);

const target = z
  .strictObject({
    name: z
      .string('is missing')
      .regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, 'is not made of 1 to 32 lower-case letters, digits and hyphens'),
    kind: z.enum(TARGET_KINDS, `is not one of ${TARGET_KINDS.join(', ')}`),
    address,
    secret: secrets.optional(),
    notifications: z
      .array(z.enum(NOTIFICATION_KINDS, `is not one of ${NOTIFICATION_KINDS.join(', ')}`), 'is not an array')
      .min(1, 'is empty')
      .optional(),
  })
  .superRefine(({ kind, secret: given }, context) => {
    const signs = kind === 'webhook';
    if (signs === (given !== undefined)) return;
    const message = signs ? 'is missing: a webhook is signed' : 'is for webhooks alone: Teams and Slack check none';
    context.addIssue({ code: 'custom', path: ['secret'], message });
  })
  .transform(
    ({ secret: given = [], notifications = NOTIFICATION_KINDS, ...rest }): NotifyTarget => ({
      ...rest,
      secrets: given,
      notifications,
    }),
  );

const config = z
  .strictObject({
    digestHour: z.int('is not a whole number').min(0, 'is below 0').max(23, 'is above 23').default(DEFAULT_DIGEST_HOUR),
    targets: z.array(target, 'is not an array').min(1, 'is empty').max(20, 'has more than 20'),
  })
  .refine(({ targets }) => new Set(targets.map(({ name }) => name)).size === targets.length, {
    path: ['targets'],
    message: 'has two of one name',
  });

/** The value of `CMK_NOTIFY`. What is said of a wrong one names the place, and never what stands there. */
export const NOTIFY_CONFIG = z
  .string()
  .refine((text) => !UNRESOLVED.test(text.trim()), {
    abort: true,
    message:
      'is a Key Vault reference that could not be resolved: check that the secret exists, that the identity of the app has Key Vault Secrets User on it, and that the network of its vault lets the app in',
  })
  .pipe(json)
  .transform((value, context) => {
    const read = config.safeParse(value);
    if (read.success) return read.data;
    for (const { path, message } of read.error.issues) {
      context.addIssue({ code: 'custom', message: path.length === 0 ? message : `${placeOf(path)}: ${message}` });
    }
    return z.NEVER;
  });

function placeOf(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}

function isHttpsUrl(text: string): boolean {
  try {
    const { protocol, username, password, hash } = new URL(text);
    return protocol === 'https:' && username === '' && password === '' && hash === '';
  } catch {
    return false;
  }
}
