import { describe, expect, it } from 'vitest';
import {
  compareSubscriptions,
  createSubscriptionName,
  EVENT_FUNCTIONS,
  listRequiredSubscriptions,
  listRequiredWatches,
} from '../../src/events/subscription.ts';
import { eventSubscriptions, FUNCTION_APP, rules, STORAGE } from '../drift/checks/subjects.ts';

const wanted = listRequiredSubscriptions({ functionAppId: FUNCTION_APP, storageAccountId: STORAGE });
const found = (() => {
  const part = eventSubscriptions();
  return 'value' in part ? part.value.subscriptions : [];
})();
const [first, ...rest] = found;
if (!first) throw new Error('The three of the fixture are there.');

const verdicts = (states: typeof found) => compareSubscriptions(wanted, states).map(({ is }) => is);

describe('the event subscriptions that a vault needs', () => {
  it("A vault needs one event subscription for each function, with CloudEvents and dead letters to the app's own storage", () => {
    expect(wanted.map(({ functionName, eventTypes: [eventType] }) => ({ functionName, eventType }))).toEqual(
      EVENT_FUNCTIONS,
    );
    expect(wanted[0]).toMatchObject({
      functionId: `${FUNCTION_APP}/functions/keyNewVersionCreated`,
      deadLetter: { storageAccountId: STORAGE, container: 'cmk-deadletter' },
    });
    expect(rules().wantedSubscriptions).toEqual(wanted);
  });

  it("The event subscriptions of a vault have no dead letters where the app's own storage is unknown", () => {
    const [one] = listRequiredSubscriptions({ functionAppId: FUNCTION_APP, storageAccountId: undefined });
    expect(one?.deadLetter).toBeUndefined();
    expect(compareSubscriptions(one ? [one] : [], [{ ...first, deadLetter: undefined }])).toMatchObject([
      { is: 'right' },
    ]);
  });
});

describe('the event subscriptions that a subscription needs', () => {
  const watches = (clientId: string | undefined) => listRequiredWatches({ functionAppId: FUNCTION_APP }, clientId);
  const made = watches('a-client').map((one) => ({ ...first, ...one, name: createSubscriptionName(one) }));
  const judged = (clientId: string | undefined, states: typeof made) =>
    compareSubscriptions(watches(clientId), states).map((one) => [one.is, 'found' in one ? one.found.name : undefined]);

  it('The event subscriptions of a subscription are right for an operator who does not know whose writes they exclude', () => {
    expect(judged(undefined, made).map(([is]) => is)).toEqual(['right', 'right']);
  });

  it('The event subscriptions of a subscription are misaimed if they exclude the writes of another identity', () => {
    expect(judged('other', made)).toEqual(made.map(({ name }) => ['misaimed', name]));
  });

  it('A missing or wrong event subscription of a subscription does not cause the other to be overwritten', () => {
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

describe('the event subscriptions of a vault', () => {
  it('The event subscriptions of a vault are right if each function has one, whatever its name and topic', () => {
    expect(verdicts(found)).toEqual(['right', 'right', 'right']);
    expect(verdicts([{ ...first, name: 'mine', place: 'systemTopic' }, ...rest])).toEqual(['right', 'right', 'right']);
  });

  it('The event subscriptions of a vault are right if a wrong one exists beside a right one', () => {
    expect(verdicts([{ ...first, name: 'wrong', schema: 'EventGridSchema' }, ...found])).toEqual([
      'right',
      'right',
      'right',
    ]);
  });

  it('The event subscriptions of a vault are missing if they do not exist, or deliver to another app', () => {
    expect(verdicts(rest)).toEqual(['missing', 'right', 'right']);
    const others = { ...first, name: 'theirs', functionId: '/somewhere/functions/keyNewVersionCreated' };
    expect(verdicts([others, ...rest])).toEqual(['missing', 'right', 'right']);
  });

  it("The event subscriptions of a vault are misaimed, and not the app's to change, if one with its name delivers elsewhere", () => {
    const elsewhere = { ...first, functionId: '/somewhere/functions/keyNewVersionCreated' };
    expect(compareSubscriptions(wanted, [elsewhere, ...rest])[0]).toMatchObject({ is: 'misaimed', ours: false });
  });

  it('The event subscriptions of a vault are judged by the best one', () => {
    const worse = { ...first, name: 'worse', schema: 'EventGridSchema', maxDeliveryAttempts: 1 };
    const verdict = compareSubscriptions(wanted, [worse, { ...first, maxDeliveryAttempts: 1 }, ...rest])[0];
    expect(verdict).toMatchObject({ is: 'misaimed', ours: true, found: { name: first.name } });
  });
});

describe('the name of a new event subscription', () => {
  it.each([
    ['func-cmk', 'cmk-func-cmk-keyNewVersionCreated'],
    ['f'.repeat(60), `cmk-${'f'.repeat(39)}-keyNewVersionCreated`],
    ['func.cmk_1', 'cmk-func-cmk-1-keyNewVersionCreated'],
  ])(
    'The name of a new event subscription has the name of the app, in a form that Event Grid accepts: %s',
    (app, name) => {
      const id = FUNCTION_APP.replace('func-cmk', app);
      const [one] = listRequiredSubscriptions({ functionAppId: id, storageAccountId: undefined });
      expect(one && createSubscriptionName(one)).toBe(name);
      expect(name).toMatch(/^[0-9A-Za-z-]{3,64}$/);
    },
  );
});
