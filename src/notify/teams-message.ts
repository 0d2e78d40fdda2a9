import { factsOf } from './facts.ts';
import type { Notification } from './notification.ts';

/** Teams accepts about 28 KB in a workflow's message (Microsoft Teams connector, "Known issues and limitations"). */
const MOST_BYTES = 27_000;

/** Maximum number of lines; each becomes a paragraph. */
const MOST_LINES = 40;

const COLOR = { info: 'good', warning: 'warning', error: 'attention' } as const;

/**
 * Creates the payload of the Teams workflow "When a Teams webhook request is received": a message with one Adaptive
 * Card 1.5. All text is in text runs, which ignore Markdown: a name cannot become a link or a mention.
 */
export function teamsMessage(notification: Notification): object {
  const facts = factsOf(notification);
  for (;;) {
    const message = messageWith(notification, facts);
    if (facts.length === 0 || Buffer.byteLength(JSON.stringify(message)) <= MOST_BYTES) return message;
    facts.pop();
  }
}

function messageWith(
  { severity, title, text }: Notification,
  facts: readonly { readonly name: string; readonly value: string }[],
): object {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const card = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.5',
    fallbackText: plain(title),
    body: [
      paragraph([{ ...run(title), size: 'large', weight: 'bolder', color: COLOR[severity] }]),
      ...lines.slice(0, MOST_LINES).map((line) => paragraph([run(line)])),
      ...facts.map(({ name, value }) => paragraph([{ ...run(`${name}: `), weight: 'bolder' }, run(value)])),
    ],
  };
  const attachment = { contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content: card };
  return { type: 'message', attachments: [attachment] };
}

function paragraph(inlines: readonly object[]): object {
  return { type: 'RichTextBlock', spacing: 'small', inlines };
}

function run(text: string): { readonly type: 'TextRun'; readonly text: string } {
  return { type: 'TextRun', text: plain(text) };
}

/** Breaks up `{{DATE(…)}}`, which cards replace, and `${…}`, which templates replace. */
function plain(text: string): string {
  return text.replace(/\{(?=\{)/g, '{ ').replace(/\$(?=\{)/g, '$ ');
}
