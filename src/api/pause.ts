import type { HttpResponseInit } from '@azure/functions';
import { z } from 'zod';
import { withDeadline } from '../azure/deadline.ts';
import { createJsonResponse } from '../http/answers.ts';
import { AUDITED, REASON, TICKET } from '../http/json-body.ts';
import { HttpProblem, runOrUnavailable } from '../http/problem.ts';
import { toAuditedCaller } from '../http/token-claims.ts';
import { hasUses } from '../index/use-row.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { type ControlOrder, type Ordered, orderPause, orderResume } from '../orders/order-pause.ts';
import { PAUSE } from '../orders/standing-orders.ts';
import type { Services } from '../services.ts';
import { KEY_FIELD, requireNamedKey } from './named-key.ts';
import { type Call, OPERATE, ok, type Route, route } from './route.ts';

/** Later times have a year of five digits, which `Date.parse` rejects. */
const LATEST_END_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

const ORDER_FIELDS = {
  reason: REASON,
  ticket: TICKET,
  key: KEY_FIELD.optional().describe('`<vault>/<key>`; absent: all keys.'),
};

export const PAUSE_REQUEST = z.strictObject({
  ...ORDER_FIELDS,
  until: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('When the pause ends (ISO 8601); absent: the pause ends when an operator resumes.'),
});
const RESUME_REQUEST = z.strictObject(ORDER_FIELDS);

export const CONTROL_RESPONSE = z.object({
  pauses: z.array(PAUSE).describe('Every active pause.'),
  ended: z.array(PAUSE).describe('Pauses that this call ended or replaced.'),
  opened: z
    .array(z.string())
    .describe('Versions to which this call lets a rotation or re-key continue although a canary or wave failed.'),
  audit: AUDITED,
  warnings: z.array(z.string()),
});

const ABOUT = {
  ...OPERATE,
  reach: 'fleet',
  answers: ok('Every active pause.', { ControlResponse: CONTROL_RESPONSE }),
  refusals: ['KeyNotManaged', 'ServiceUnavailable'],
} as const;

/** Routes of pause and resume. */
export const PAUSE_ROUTES: readonly Route[] = [
  route({
    ...ABOUT,
    id: 'pause',
    path: '/pause',
    summary: 'Pause all moves and rotations of one key or of all keys. Break-glass continues.',
    description: 'Safe to repeat: a later pause replaces an earlier pause of the same key, or of all keys.',
    body: { PauseRequest: PAUSE_REQUEST },
    async handle(call) {
      const { services, log } = call;
      const body = await call.body();
      const until = endOf(body.until, services.now());
      const key = keyOf(body.key, services);
      const order = { ...orderOf(body, key, call), until };
      return answerOrder(() => orderPause(order, services, log), key, services);
    },
  }),
  route({
    ...ABOUT,
    id: 'resume',
    path: '/resume',
    summary: 'End a pause. With a key, also retry failed accounts, and continue a rotation that a failed stage holds.',
    description:
      'Canaries and waves stay in their order, unless a failed canary or wave holds the rotation: then all accounts move to that version.',
    body: { ResumeRequest: RESUME_REQUEST },
    async handle(call) {
      const { services, log } = call;
      const body = await call.body();
      const key = keyOf(body.key, services);
      const order = orderOf(body, key, call);
      return answerOrder(() => orderResume(order, services, log), key, services);
    },
  }),
];

/** Returns when the pause ends. @throws {@link HttpProblem} 400 */
function endOf(named: string | undefined, now: Date): Date | undefined {
  if (named === undefined) return undefined;
  const until = new Date(Math.min(Date.parse(named), LATEST_END_MS));
  if (until > now) return until;
  const detail = `until: ${until.toISOString()} is in the past. The app changed nothing.`;
  throw new HttpProblem('BodyInvalid', { detail, nextStep: 'Send a future time, or omit "until".' });
}

/** @throws {@link HttpProblem} 404 */
function keyOf(named: string | undefined, { settings }: Services): ManagedKey | undefined {
  return named === undefined ? undefined : requireNamedKey(settings.vaults, named);
}

function orderOf(
  { reason, ticket }: z.output<typeof RESUME_REQUEST>,
  key: ManagedKey | undefined,
  { caller, correlationId }: Call,
): ControlOrder {
  return { caller: toAuditedCaller(caller), correlationId, reason, ticket, key: key?.id };
}

/** Stores an order, and answers with a warning if its key does not seem to exist. */
async function answerOrder(
  run: () => Promise<Ordered>,
  key: ManagedKey | undefined,
  services: Services,
): Promise<HttpResponseInit> {
  const [ordered, isUnknown] = await Promise.all([orNotSaved(run), key ? isUnknownKey(key, services) : false]);
  if (!key || !isUnknown) return createJsonResponse(200, ordered);

  const warning = `Neither the vault nor the index has a key ${key.vault.name}/${key.name}. The order is stored, but check the name.`;
  return createJsonResponse(200, { ...ordered, warnings: [...ordered.warnings, warning] });
}

/** Deadline for the check whether the key exists, which delays the answer. Milliseconds. */
const EXISTENCE_MS = 2_000;

/** Returns whether neither the index nor Key Vault has the key; false if they do not answer, as an order needs neither. */
async function isUnknownKey(key: ManagedKey, { urgentKeys, useRows }: Services): Promise<boolean> {
  const checkExistence = async () => {
    const versions = await urgentKeys.listVersionsUnsettled(key);
    return versions.length === 0 && !(await hasUses(useRows, key.id));
  };
  return withDeadline(EXISTENCE_MS, 'The key was not found', checkExistence).catch(() => false);
}

/** @throws {@link HttpProblem} 503 if the store failed: the result is indeterminate */
const orNotSaved = (run: () => Promise<Ordered>): Promise<Ordered> =>
  runOrUnavailable(
    run,
    (why) => `The app cannot tell whether the order was saved: ${why}`,
    'Repeat the call: repeating it has no further effect.',
  );
