import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { CloudEvent } from 'cloudevents';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { NOTIFICATION, shortenText } from '../../src/notify/notification.ts';
import { render } from '../../src/notify/render.ts';
import { NOTIFICATION_KINDS } from '../../src/settings/notify-targets.ts';
import { SAMPLES } from './samples.ts';

// As a CommonJS bundle: its modules name each other without an ending, which Node does not find.
const adaptiveCards: typeof import('adaptivecards') = createRequire(import.meta.url)(
  'adaptivecards/dist/adaptivecards.js',
);
const SOURCE = '/subscriptions/1/resourceGroups/rg/providers/Microsoft.Web/sites/func-cmk';
const NOW = new Date('2026-11-25T10:00:05.900Z');
const SECRETS = [Buffer.alloc(32, 1), Buffer.alloc(24, 2)];

/** Slack, Block Kit reference: lengths and numbers. It publishes no schema. */
const slackText = (most: number) =>
  z.strictObject({ type: z.literal('plain_text'), emoji: z.boolean(), text: z.string().min(1).max(most) });
const slackBlock = z.union([
  z.strictObject({ type: z.literal('header'), text: slackText(150) }),
  z.strictObject({ type: z.literal('section'), text: slackText(3_000) }),
  z.strictObject({ type: z.literal('section'), fields: z.array(slackText(2_000)).min(1).max(10) }),
]);
const slackMessage = z.strictObject({
  text: z.string().min(1).max(40_000),
  mrkdwn: z.literal(false),
  blocks: z.array(slackBlock).min(1).max(50),
});

const teamsMessage = z.strictObject({
  type: z.literal('message'),
  attachments: z.tuple([
    z.strictObject({
      contentType: z.literal('application/vnd.microsoft.card.adaptive'),
      contentUrl: z.null(),
      content: z.record(z.string(), z.unknown()),
    }),
  ]),
});

const bodyFor = (kind: 'webhook' | 'teams' | 'slack', sample: keyof typeof SAMPLES) => {
  const notification = SAMPLES[sample];
  if (!notification) throw new Error(`There is no sample ${sample}.`);
  return render(notification, { kind, secrets: kind === 'webhook' ? SECRETS : [] }, SOURCE, NOW);
};

it('there is a sample of every kind', () => {
  const kinds = new Set(Object.values(SAMPLES).map(({ kind }) => kind));
  for (const kind of NOTIFICATION_KINDS) expect(kinds).toContain(kind);
});

describe.each(Object.keys(SAMPLES))('%s', (sample) => {
  it('A notification of each kind fits into a message of a queue', () => {
    expect(NOTIFICATION.safeParse(SAMPLES[sample]).error).toBeUndefined();
    expect(Buffer.byteLength(JSON.stringify(SAMPLES[sample]))).toBeLessThan(63 * 1024);
  });

  it("A notification of each kind is a CloudEvent by the schema of CloudEvents' own SDK", () => {
    const body = JSON.parse(bodyFor('webhook', sample).body) as object;
    expect(new CloudEvent(body, false).validate()).toBe(true);
    // It would make an id of its own.
    expect(body).toMatchObject({ id: SAMPLES[sample]?.id, specversion: '1.0', datacontenttype: 'application/json' });
  });

  it('A notification of each kind is a message that Slack accepts', () => {
    expect(slackMessage.safeParse(JSON.parse(bodyFor('slack', sample).body)).error).toBeUndefined();
  });

  it('A notification of each kind is a card that Teams accepts', () => {
    const { body } = bodyFor('teams', sample);
    const { data, error } = teamsMessage.safeParse(JSON.parse(body));
    expect(error).toBeUndefined();
    expect(complaintsOf(data?.attachments[0].content ?? {})).toEqual([]);
    expect(Buffer.byteLength(body)).toBeLessThan(28_000);
  });
});

it('The renderer of Teams rejects a wrong card', () => {
  const inlines = [{ type: 'TextRun', text: 'x', color: 'red' }];
  const body = [{ type: 'RichTextBlock', spacing: 'tiny', inlines }, { type: 'RichText' }];
  expect(complaintsOf({ type: 'AdaptiveCard', version: '1.5', body })).toHaveLength(3);
});

/** What the renderer of Microsoft, whose schema is in its code, has to say of a card. */
function complaintsOf(content: object): readonly string[] {
  const { AdaptiveCard, SerializationContext, Versions } = adaptiveCards;
  const context = new SerializationContext(Versions.v1_5);
  const card = new AdaptiveCard();
  card.parse(content, context);
  const parsed = Array.from({ length: context.eventCount }, (_, n) => context.getEventAt(n).message);
  return [...parsed, ...card.validateProperties().validationEvents.map(({ message }) => message)];
}

it('a webhook is signed with each secret, as Standard Webhooks says, anew at each try', () => {
  const { headers, body } = bodyFor('webhook', 'revoked');
  expect(headers).toMatchObject({
    'content-type': 'application/cloudevents+json; charset=utf-8',
    'webhook-id': SAMPLES.revoked?.id,
    'webhook-timestamp': '1795600805',
  });

  const expected = SECRETS.map((secret) =>
    createHmac('sha256', secret).update(`${SAMPLES.revoked?.id}.1795600805.${body}`).digest('base64'),
  );
  expect(headers['webhook-signature']).toBe(`v1,${expected[0]} v1,${expected[1]}`);
});

describe('text that would be markup', () => {
  it('Text that would be markup is no link, mention or entity for Slack', () => {
    const { text, blocks } = JSON.parse(bodyFor('slack', 'hostile').body) as z.output<typeof slackMessage>;
    const texts = [text, ...(JSON.stringify(blocks).match(/"text":"[^"]*"/g) ?? [])];
    for (const one of texts) expect(one).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)/);
    expect(text).toContain('&lt;!channel&gt; &lt;https://evil.example|click&gt; &amp;');
    expect(JSON.stringify(blocks)).not.toContain('"mrkdwn"');
  });

  it('Text that would be markup is in text runs alone for Teams, which know no Markdown, and no template', () => {
    const { body } = bodyFor('teams', 'hostile');
    expect(body).not.toMatch(/"TextBlock"|"FactSet"|\{\{|\$\{/);
  });

  it('Text that would be markup cannot hide or turn what follows it, anywhere', () => {
    for (const kind of ['webhook', 'teams', 'slack'] as const) {
      expect(bodyFor(kind, 'hostile').body).not.toMatch(/[\u202E]|\\u0000|\\u202e/i);
    }
  });
});

it.each(['\u0000', '\u00AD', '\u061C', '\u180E', '\u200F', '\u202E', '\u2066', '\uFEFF', '\uFFF9'])(
  'the invisible character %j is left out',
  (character) => {
    expect(shortenText(`a${character}b`, 10)).toBe('a b');
  },
);

it('A notification never contains the token of a caller', () => {
  for (const sample of Object.keys(SAMPLES)) {
    for (const kind of ['webhook', 'teams', 'slack'] as const) {
      expect(bodyFor(kind, sample).body).not.toContain('TOKEN');
    }
  }
});
