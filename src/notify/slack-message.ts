import { factsOf } from './facts.ts';
import type { Notification } from './notification.ts';

// Limits in Slack's Block Kit reference: 50 blocks per message; 150 characters per header, 3,000 per section text, and
// ten fields of 2,000 characters each.
const MOST_FIELDS = 10;
const MOST_HEADER = 150;
const MOST_TEXT = 3_000;
const MOST_FIELD = 2_000;

const MARK = { info: '', warning: '⚠ ', error: '🔴 ' } as const;

/**
 * Creates the payload of a Slack incoming webhook. Its blocks are plain text, without links and mentions. Slack's
 * fallback text is not plain, so control characters are escaped everywhere (Slack, "Formatting text").
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

/** Escapes text, and truncates it so that the escaped text fits. */
function escaped(text: string, most: number): string {
  let result = '';
  for (const character of text) {
    const next = ESCAPES[character] ?? character;
    if (result.length + next.length > most - 1) return `${result}…`;
    result += next;
  }
  return result;
}
