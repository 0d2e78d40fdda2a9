import { z } from 'zod';
import { DRIFT_DETAILS, type DriftDetails, FINDING, FIX } from '../report.ts';

const index = z.int().nonnegative();

/**
 * The findings of a report as they are stored: what many have in common stands once, and is named by its place. Ten
 * thousand findings of one cause are two megabytes so, in place of twenty.
 */
const PACKED = z.object({
  texts: z.array(z.string()),
  causes: z.array(FINDING.shape.cause),
  findings: z.array(
    FINDING.extend({ is: index, shouldBe: index, fix: index, command: index.optional(), cause: index }),
  ),
  fixes: z.array(FIX.extend({ detail: index })),
  unseen: DRIFT_DETAILS.shape.unseen,
  untoldAccess: DRIFT_DETAILS.shape.untoldAccess,
});

/** A list in which each thing stands once. */
class Places<T> {
  readonly all: T[] = [];
  readonly #places = new Map<string, number>();

  of(thing: T, key: string): number {
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    this.#places.set(key, this.all.length);
    return this.all.push(thing) - 1;
  }
}

/** In small pieces, one after the other: as one text, ten thousand findings would be some megabytes four times over. */
export function* packDetails({ findings, fixes, unseen, untoldAccess }: DriftDetails): Generator<string> {
  const texts = new Places<string>();
  const causes = new Places<DriftDetails['findings'][number]['cause']>();
  const text = (of: string): number => texts.of(of, of);
  yield '{"findings":';
  yield* list(
    findings,
    ({ is, shouldBe, fix, command, cause, ...rest }): z.output<typeof PACKED>['findings'][number] => ({
      ...rest,
      is: text(is),
      shouldBe: text(shouldBe),
      fix: text(fix),
      ...(command === undefined ? {} : { command: text(command) }),
      cause: causes.of(cause, cause.id),
    }),
  );
  yield ',"fixes":';
  yield* list(fixes, ({ detail, ...rest }): z.output<typeof PACKED>['fixes'][number] => ({
    ...rest,
    detail: text(detail),
  }));
  yield ',"unseen":';
  yield* list(unseen, (one) => one);
  if (untoldAccess) {
    yield ',"untoldAccess":';
    yield* list(untoldAccess, (one) => one);
  }
  yield ',"causes":';
  yield* list(causes.all, (cause) => cause);
  yield ',"texts":';
  yield* list(texts.all, (one) => one);
  yield '}';
}

function* list<T>(things: readonly T[], packed: (thing: T) => unknown): Generator<string> {
  yield '[';
  for (const [at, thing] of things.entries()) yield `${at === 0 ? '' : ','}${JSON.stringify(packed(thing))}`;
  yield ']';
}

/** @throws ZodError, or RangeError when a place is none */
export function unpackDetails(stored: string): DriftDetails {
  const { texts, causes, findings, fixes, unseen, untoldAccess } = PACKED.parse(JSON.parse(stored));
  const text = (at: number): string => required(texts[at], at);
  return {
    findings: findings.map(({ is, shouldBe, fix, command, cause, ...rest }) => ({
      ...rest,
      is: text(is),
      shouldBe: text(shouldBe),
      fix: text(fix),
      ...(command === undefined ? {} : { command: text(command) }),
      cause: required(causes[cause], cause),
    })),
    fixes: fixes.map(({ detail, ...rest }) => ({ ...rest, detail: text(detail) })),
    unseen,
    untoldAccess,
  };
}

function required<T>(thing: T | undefined, at: number): T {
  if (thing === undefined) throw new RangeError(`The findings of the report are damaged: there is no place ${at}.`);
  return thing;
}
