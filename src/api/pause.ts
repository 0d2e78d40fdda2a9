import { z } from 'zod';
import { jsonResponse } from '../http/answers.ts';
import { AUDITED, REASON, TICKET } from '../http/json-body.ts';
import { HttpProblem, orUnavailable } from '../http/problem.ts';
import { auditedCaller } from '../http/token-claims.ts';
import { type ControlOrder, type Ordered, orderPause, orderResume } from '../orders/order-pause.ts';
import { PAUSE } from '../orders/standing-orders.ts';
import { KEY_FIELD, keyNamed } from './named-key.ts';
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
    .describe('Versions to which a rotation or re-key continues although a canary or wave failed, by this call.'),
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
      const order = { ...orderOf(body, call), until };
      return jsonResponse(200, await orNotSaved(() => orderPause(order, services, log)));
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
      const order = orderOf(await call.body(), call);
      return jsonResponse(200, await orNotSaved(() => orderResume(order, services, log)));
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
function orderOf(
  { reason, ticket, key: named }: z.output<typeof RESUME_REQUEST>,
  { caller, correlationId, services }: Call,
): ControlOrder {
  const key = named === undefined ? undefined : keyNamed(services.settings.vaults, named);
  return { caller: auditedCaller(caller), correlationId, reason, ticket, key: key?.id };
}

/** @throws {@link HttpProblem} 503 if the store failed: the result is indeterminate */
const orNotSaved = (run: () => Promise<Ordered>): Promise<Ordered> =>
  orUnavailable(
    run,
    (why) => `The app cannot tell whether the order was saved: ${why}`,
    'Repeat the call: repeating it has no further effect.',
  );
