import { factsOf } from './facts.ts';
import type { Notification } from './notification.ts';

/** Teams takes about 28 KB for a message that a workflow posts (Microsoft Teams connector, "Known issues and limitations"). */
const MOST_BYTES = 27_000;

/** Lines that become paragraphs of their own. */
const MOST_LINES = 40;

const COLOR = { info: 'good', warning: 'warning', error: 'attention' } as const;

/**
 * What the Teams workflow "When a Teams webhook request is received" takes: a message with one Adaptive Card 1.5. All text
 * is in text runs, which, unlike text blocks and facts, know no Markdown: a name cannot become a link or a mention.
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

/** Cards replace `{{DATE(…)}}`, and templates `${…}`. */
function plain(text: string): string {
  return text.replace(/\{(?=\{)/g, '{ ').replace(/\$(?=\{)/g, '$ ');
}
