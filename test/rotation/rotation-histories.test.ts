import { describe, expect, it } from 'vitest';
import { day } from '../support/keys.ts';
import { type History, play, TROUBLES } from './rotation-histories.ts';

/** A rotation of one message takes so many calls or fewer. */
const STEPS = 24;

async function holds(history: History): Promise<number> {
  const { versions, trail, state, steps } = await play(history);
  const name = JSON.stringify(history);

  expect(versions, name).toMatchObject([
    { expiresOn: day(40) },
    { expiresOn: expect.any(Date), tags: { owner: 'files', 'cmk-rotation': 'auto' } },
  ]);
  expect(versions, name).toHaveLength(2);
  expect(
    trail.map(({ reason, details }) => [reason, details?.to]),
    name,
  ).toEqual([['Rotated', versions[1]?.id]]);
  expect(state, name).toBeUndefined();

  return steps;
}

describe('one expiry', () => {
  it('One expiry makes one version, completed and recorded once, when nothing goes wrong', async () => {
    expect(await holds({ messages: 1, step: 0, trouble: 'noEffect', seed: 1 })).toBeLessThanOrEqual(STEPS);
  });

  it.each(TROUBLES)('One expiry makes one version with one instance, whichever of its calls is %s', async (trouble) => {
    for (let step = 1; step <= STEPS; step += 1) await holds({ messages: 1, step, trouble, seed: 1 });
  });

  it.each(['late', 'killedLate', 'answerLost'] as const)(
    'One expiry makes one version with one instance, whichever of its calls is %s, and whichever it is killed at then',
    async (trouble) => {
      for (let step = 1; step <= STEPS; step += 1) {
        for (let after = 1; after <= STEPS; after += 1) {
          for (const kill of ['killedBefore', 'killedAfter'] as const) {
            await holds({ messages: 1, step, trouble, later: { step: step + after, trouble: kill }, seed: 1 });
          }
        }
      }
    },
  );

  it.each(TROUBLES)(
    'One expiry makes one version with three messages and instances, whichever call is %s, in any order',
    async (trouble) => {
      for (let step = 1; step <= 3 * STEPS; step += 1) {
        for (let seed = 1; seed <= 10; seed += 1) await holds({ messages: 3, step, trouble, seed });
      }
    },
  );
});
