import { z } from 'zod';
import { jsonResponse } from '../http/answers.ts';
import { REASON, TICKET } from '../http/json-body.ts';
import { HttpProblem, orUnavailable } from '../http/problem.ts';
import { auditedCaller } from '../http/token-claims.ts';
import { type ControlOrder, type Ordered, orderPause, orderResume } from '../orders/order-pause.ts';
import { endProblem, PAUSE } from '../orders/standing-orders.ts';
import { KEY_FIELD, keyNamed } from './named-key.ts';
import { type Call, type Route, route } from './route.ts';

const ORDER_FIELDS = {
  reason: REASON,
  ticket: TICKET,
  key: KEY_FIELD.optional().describe('`<vault>/<key>`; left out: all keys.'),
};

export const PAUSE_REQUEST = z.strictObject({
  ...ORDER_FIELDS,
  until: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('When it ends by itself (ISO 8601); absent: when an operator resumes.'),
});
const RESUME_REQUEST = z.strictObject(ORDER_FIELDS);

export const CONTROL_RESPONSE = z.object({
  pauses: z.array(PAUSE).describe('Every pause that has not ended.'),
  ended: z.array(PAUSE).describe('Pauses that this call ended or replaced.'),
  audit: z.string().describe('`written`, or why the audit trail could not be written.'),
  warnings: z.array(z.string()),
});

/** Pause and resume. */
export const PAUSE_ROUTES: readonly Route[] = [
  route({
    id: 'pause',
    method: 'POST',
    path: '/pause',
    summary: 'Have all moves and rotations wait, of one key or of all. Break-glass is not paused.',
    description: 'Safe to repeat: a later pause of the same key, or of all, takes the place of the one before.',
    role: 'Cmk.Operate',
    reach: 'fleet',
    body: { PauseRequest: PAUSE_REQUEST },
    answers: { 200: { description: 'What is paused now.', schema: { ControlResponse: CONTROL_RESPONSE } } },
    refusals: ['KeyNotManaged', 'ServiceUnavailable'],
    async handle(call) {
      const { services, log } = call;
      const body = await call.body();
      const until = endOf(body.until, services.now());
      const order = { ...orderOf(body, call), until };
      return jsonResponse(200, await orNotSaved(() => orderPause(order, services, log)));
    },
  }),
  route({
    id: 'resume',
    method: 'POST',
    path: '/resume',
    summary: 'End a pause; with a key, have its rotation go on whatever holds it.',
    role: 'Cmk.Operate',
    reach: 'fleet',
    body: { ResumeRequest: RESUME_REQUEST },
    answers: { 200: { description: 'What is still paused.', schema: { ControlResponse: CONTROL_RESPONSE } } },
    refusals: ['KeyNotManaged', 'ServiceUnavailable'],
    async handle(call) {
      const { services, log } = call;
      const order = orderOf(await call.body(), call);
      return jsonResponse(200, await orNotSaved(() => orderResume(order, services, log)));
    },
  }),
];

/** When the pause ends by itself. @throws {@link HttpProblem} 400 */
function endOf(named: string | undefined, now: Date): Date | undefined {
  if (named === undefined) return undefined;
  const until = new Date(named);
  const problem = endProblem(until, now);
  if (!problem) return until;
  const detail = `until: ${problem} Nothing was changed.`;
  throw new HttpProblem('BodyInvalid', { detail, nextStep: 'Send a time to come, or leave it out.' });
}

/** @throws {@link HttpProblem} 404 */
function orderOf(
  { reason, ticket, key: named }: z.output<typeof RESUME_REQUEST>,
  { caller, correlationId, services }: Call,
): ControlOrder {
  const key = named === undefined ? undefined : keyNamed(services.settings.vaults, named);
  return { caller: auditedCaller(caller), correlationId, reason, ticket, key: key?.id };
}

/** @throws {@link HttpProblem} 503 if the store failed: the write may have taken effect */
const orNotSaved = (run: () => Promise<Ordered>): Promise<Ordered> =>
  orUnavailable(
    run,
    (why) => `The app cannot tell whether the order was saved: ${why}`,
    'Repeat the call: repeating it has no further effect.',
  );
