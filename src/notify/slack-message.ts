import { factsOf } from './facts.ts';
import type { Notification } from './notification.ts';

// Limits: Slack, Block Kit reference: 50 blocks a message; 150 characters a header, 3,000 the text of a section, ten fields
// of 2,000 characters each.
const MOST_FIELDS = 10;
const MOST_HEADER = 150;
const MOST_TEXT = 3_000;
const MOST_FIELD = 2_000;

const MARK = { info: '', warning: '⚠ ', error: '🔴 ' } as const;

/**
 * What an incoming webhook of Slack takes. All text is plain text, which knows no links and mentions; what Slack shows where
 * it has no room for blocks is not, and its control characters are escaped everywhere (Slack, "Formatting text").
 */
export function slackMessage(notification: Notification): object {
  const { severity, title, text } = notification;
  const fields = factsOf(notification).map(({ name, value }) => plain(`${name}\n${value}`, MOST_FIELD));
  const groups = Array.from({ length: Math.ceil(fields.length / MOST_FIELDS) }, (_, group) =>
    fields.slice(group * MOST_FIELDS, (group + 1) * MOST_FIELDS),
  );
  return {
    text: escaped(`${MARK[severity]}${title}`, MOST_TEXT),
    mrkdwn: false,
    blocks: [
      { type: 'header', text: plain(`${MARK[severity]}${title}`, MOST_HEADER) },
      { type: 'section', text: plain(text, MOST_TEXT) },
      ...groups.map((group) => ({ type: 'section', fields: group })),
    ],
  };
}

function plain(text: string, most: number): object {
  return { type: 'plain_text', emoji: false, text: escaped(text, most) };
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** Cut where what is escaped still fits. */
function escaped(text: string, most: number): string {
  let result = '';
  for (const character of text) {
    const next = ESCAPES[character] ?? character;
    if (result.length + next.length > most - 1) return `${result}…`;
    result += next;
  }
  return result;
}
