import { describe, expect, it } from 'vitest';
import {
  EVENT_FUNCTIONS,
  judgeSubscriptions,
  subscriptionName,
  wantedSubscriptions,
  wantedWatches,
} from '../../src/events/subscription.ts';
import { eventSubscriptions, FUNCTION_APP, rules, STORAGE } from '../drift/checks/subjects.ts';

const wanted = wantedSubscriptions({ functionAppId: FUNCTION_APP, storageAccountId: STORAGE });
const found = (() => {
  const part = eventSubscriptions();
  return 'value' in part ? part.value.subscriptions : [];
})();
const [first, ...rest] = found;
if (!first) throw new Error('The three of the fixture are there.');

const verdicts = (states: typeof found) => judgeSubscriptions(wanted, states).map(({ is }) => is);

describe('the event subscriptions that a vault needs', () => {
  it('are one for each function, each with one event type, CloudEvents and dead letters to the own storage', () => {
    expect(wanted.map(({ functionName, eventTypes: [eventType] }) => ({ functionName, eventType }))).toEqual(
      EVENT_FUNCTIONS,
    );
    expect(wanted[0]).toMatchObject({
      functionId: `${FUNCTION_APP}/functions/keyNewVersionCreated`,
      deadLetter: { storageAccountId: STORAGE, container: 'cmk-deadletter' },
    });
    expect(rules().wantedSubscriptions).toEqual(wanted);
  });

  it('go without dead letters where the own storage is not known', () => {
    const [one] = wantedSubscriptions({ functionAppId: FUNCTION_APP, storageAccountId: undefined });
    expect(one?.deadLetter).toBeUndefined();
    expect(judgeSubscriptions(one ? [one] : [], [{ ...first, deadLetter: undefined }])).toMatchObject([
      { is: 'right' },
    ]);
  });
});

describe('the event subscriptions that a subscription needs', () => {
  const watches = (clientId: string | undefined) => wantedWatches({ functionAppId: FUNCTION_APP }, clientId);
  const made = watches('a-client').map((one) => ({ ...first, ...one, name: subscriptionName(one) }));
  const judged = (clientId: string | undefined, states: typeof made) =>
    judgeSubscriptions(watches(clientId), states).map((one) => [one.is, 'found' in one ? one.found.name : undefined]);

  it('are right for an operator who does not know whose writes they leave out', () => {
    expect(judged(undefined, made).map(([is]) => is)).toEqual(['right', 'right']);
  });

  it("are misaimed for the app where they leave out another identity's writes", () => {
    expect(judged('other', made)).toEqual(made.map(({ name }) => ['misaimed', name]));
  });

  it('are told apart: of one operation list that is missing or wrong the other is not overwritten', () => {
    const [one, two] = made;
    if (!one || !two) throw new Error('There are two.');

    expect(judged('a-client', [one])).toEqual([
      ['right', undefined],
      ['missing', undefined],
    ]);
    expect(judged('a-client', [two, { ...one, filters: [] }])).toEqual([
      ['misaimed', one.name],
      ['right', undefined],
    ]);
  });
});

describe('what a vault has', () => {
  it('is right when each function has one, whatever it is called and wherever it hangs', () => {
    expect(verdicts(found)).toEqual(['right', 'right', 'right']);
    expect(verdicts([{ ...first, name: 'mine', place: 'systemTopic' }, ...rest])).toEqual(['right', 'right', 'right']);
  });

  it('is right when a wrong one stands beside a right one', () => {
    expect(verdicts([{ ...first, name: 'wrong', schema: 'EventGridSchema' }, ...found])).toEqual([
      'right',
      'right',
      'right',
    ]);
  });

  it('misses what is not there, and what belongs to somebody else', () => {
    expect(verdicts(rest)).toEqual(['missing', 'right', 'right']);
    const others = { ...first, name: 'theirs', functionId: '/somewhere/functions/keyNewVersionCreated' };
    expect(verdicts([others, ...rest])).toEqual(['missing', 'right', 'right']);
  });

  it('is misaimed, and not ours to change, when one of our names delivers elsewhere', () => {
    const elsewhere = { ...first, functionId: '/somewhere/functions/keyNewVersionCreated' };
    expect(judgeSubscriptions(wanted, [elsewhere, ...rest])[0]).toMatchObject({ is: 'misaimed', ours: false });
  });

  it('is judged by the one that is nearest to right', () => {
    const worse = { ...first, name: 'worse', schema: 'EventGridSchema', maxDeliveryAttempts: 1 };
    const verdict = judgeSubscriptions(wanted, [worse, { ...first, maxDeliveryAttempts: 1 }, ...rest])[0];
    expect(verdict).toMatchObject({ is: 'misaimed', ours: true, found: { name: first.name } });
  });
});

describe('the name of a new one', () => {
  it.each([
    ['func-cmk', 'cmk-func-cmk-keyNewVersionCreated'],
    ['f'.repeat(60), `cmk-${'f'.repeat(39)}-keyNewVersionCreated`],
    ['func.cmk_1', 'cmk-func-cmk-1-keyNewVersionCreated'],
  ])('carries the name of the app, and is one that Event Grid takes: %s', (app, name) => {
    const id = FUNCTION_APP.replace('func-cmk', app);
    const [one] = wantedSubscriptions({ functionAppId: id, storageAccountId: undefined });
    expect(one && subscriptionName(one)).toBe(name);
    expect(name).toMatch(/^[0-9A-Za-z-]{3,64}$/);
  });
});
