import { z } from 'zod';
import { json } from './setting.ts';

/** Kinds of notifications; a target receives all kinds, or the kinds that it lists. */
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

/** Hour of the day (UTC) from which the digest is sent, by default. */
export const DEFAULT_DIGEST_HOUR = 6;
/** Value of the setting while App Service cannot resolve the reference (App Service, "Use Key Vault references"). */
const UNRESOLVED = /^@Microsoft\.KeyVault\(/i;

const address = z
  .string('is missing')
  .trim()
  .max(2_000, 'is longer than 2,000 characters')
  .refine(isHttpsUrl, 'is not an https URL, or has a user name, password or fragment');

/** Standard Webhooks 1.0: `whsec_`, followed by 24 to 64 random bytes in base64. */
const secret = z
  .string('is not text')
  .trim()
  .regex(/^whsec_[A-Za-z0-9+/]+={0,2}$/, 'is not whsec_ followed by base64')
  .transform((text) => Buffer.from(text.slice('whsec_'.length), 'base64'))
  .refine(({ length }) => length >= 24 && length <= 64, 'does not have 24 to 64 bytes');

/** A secret, or several secrets during a rotation of the secret. */
const secrets = z.preprocess(
  (given) => (typeof given === 'string' ? [given] : given),
  z.array(secret, 'is not text').min(1, 'is empty').max(3, 'has more than three'),
);

const target = z
  .strictObject({
    name: z
      .string('is missing')
      .regex(
        /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/,
        'does not consist of 1 to 32 lower-case letters, digits and hyphens',
      ),
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
    const message = signs
      ? 'is missing: the app signs requests to a webhook'
      : 'is only for webhooks: Teams and Slack verify no signatures';
    context.addIssue({ code: 'custom', path: ['secret'], message });
  })
  .transform(({ secret: given = [], notifications = NOTIFICATION_KINDS, ...rest }) => ({
    ...rest,
    /** Signing secrets of a webhook, the current secret first; empty for other kinds. */
    secrets: given,
    notifications,
  }));

/** Receiver of notifications. Messages, logs and errors never have its address or secrets. */
export type NotifyTarget = Readonly<z.output<typeof target>>;

const config = z
  .strictObject({
    digestHour: z.int('is not a whole number').min(0, 'is below 0').max(23, 'is above 23').default(DEFAULT_DIGEST_HOUR),
    targets: z.array(target, 'is not an array').min(1, 'is empty').max(20, 'has more than 20'),
  })
  .refine(({ targets }) => new Set(targets.map(({ name }) => name)).size === targets.length, {
    path: ['targets'],
    message: 'has two targets with the same name',
  });

/** The value of `CMK_NOTIFY`. Error messages name the position of a problem, never the value there. */
export const NOTIFY_CONFIG = z
  .string()
  .refine((text) => !UNRESOLVED.test(text.trim()), {
    abort: true,
    message:
      'is a Key Vault reference that could not be resolved: check that the secret exists, that the identity of the app has Key Vault Secrets User on it, and that the network of its vault allows the app',
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
