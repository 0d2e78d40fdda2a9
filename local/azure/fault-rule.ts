import { z } from 'zod';

const count = z.int().nonnegative();
const milliseconds = z.number().nonnegative().max(3_600_000);

const requestMatch = z.strictObject({
  /** A glob: `*` stands for any characters. */
  host: z.string().min(1).optional(),
  method: z.string().min(1).optional(),
  /** A regular expression over path and query. */
  path: z.string().refine(isRegularExpression, 'is not a regular expression').optional(),
});

const answer = z.strictObject({
  status: z.int().min(200).max(599),
  headers: z.record(z.string(), z.string()).optional(),
  body: z.unknown().optional(),
});

const requestRule = z.strictObject({
  match: requestMatch.default({}),
  times: count.min(1).optional(),
  skip: count.optional(),
  answer: answer.optional(),
  delayMs: milliseconds.optional(),
  delayAfterMs: milliseconds.optional(),
  hang: z.literal(true).optional(),
  reset: z.literal(true).optional(),
  resetAfter: z.literal(true).optional(),
  resetThenMs: milliseconds.optional(),
});

const deliveryRule = z.strictObject({
  match: z.strictObject({ delivery: z.literal(true), function: z.string().min(1).optional() }),
  times: count.min(1).optional(),
  skip: count.optional(),
  drop: z.literal(true).optional(),
  duplicate: z.int().min(2).max(100).optional(),
  delayMs: milliseconds.optional(),
  reorder: z.literal(true).optional(),
});

/** A fault for requests: `match`, how often, and exactly one effect. */
export type RequestRule = z.infer<typeof requestRule>;
/** A fault for the delivery of an event. */
export type DeliveryRule = z.infer<typeof deliveryRule>;

/** The effects that a rule can have on a request. */
export const requestEffects = [
  'answer',
  'delayMs',
  'delayAfterMs',
  'hang',
  'reset',
  'resetAfter',
  'resetThenMs',
] as const;
const deliveryEffects = ['drop', 'duplicate', 'delayMs', 'reorder'] as const;

/** Parses the rules of `POST /faults`. Returns all problems, and no rule, if any rule is wrong. */
export function parseRules(body: unknown): { rules: (RequestRule | DeliveryRule)[] } | { problems: string[] } {
  if (!Array.isArray(body)) return { problems: ['The body must be an array of rules.'] };

  const rules: (RequestRule | DeliveryRule)[] = [];
  const problems: string[] = [];

  for (const [index, item] of body.entries()) {
    const delivery = (item as { match?: { delivery?: unknown } } | null)?.match?.delivery !== undefined;
    const parsed = delivery ? deliveryRule.safeParse(item) : requestRule.safeParse(item);
    if (!parsed.success) {
      for (const issue of parsed.error.issues) {
        problems.push(`rule ${index}: ${issue.path.join('.') || 'rule'}: ${issue.message}`);
      }

      continue;
    }

    const effects = delivery ? deliveryEffects : requestEffects;
    const given = effects.filter((effect) => (parsed.data as Record<string, unknown>)[effect] !== undefined);
    if (given.length === 1) rules.push(parsed.data);
    else problems.push(`rule ${index}: needs exactly one of ${effects.join(', ')}, has ${given.join(', ') || 'none'}`);
  }

  return problems.length > 0 ? { problems } : { rules };
}

function isRegularExpression(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}
