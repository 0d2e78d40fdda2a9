import { createHmac } from 'node:crypto';
import type { NotifyTarget } from '../settings/notify-targets.ts';
import type { Notification } from './notification.ts';

interface Rendered {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Renders a notification for its receiver.
 *
 * @param source source of the notification: the app's ARM id, as a URI reference
 * @param now time of the attempt; each attempt has a new signature
 */
export function render(
  notification: Notification,
  { kind, secrets }: Pick<NotifyTarget, 'kind' | 'secrets'>,
  source: string,
  now: Date,
): Rendered {
  if (kind === 'webhook') {
    const body = JSON.stringify(cloudEvent(notification, source));
    const signed = sign(notification.id, now, body, secrets);
    return { headers: { 'content-type': 'application/cloudevents+json; charset=utf-8', ...signed }, body };
  }

  const message = kind === 'teams' ? teamsMessage(notification) : slackMessage(notification);
  return { headers: { 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify(message) };
}

/** CloudEvents 1.0, structured content mode (JSON event format). */
function cloudEvent({ id, kind, time, subject, severity, title, text, data }: Notification, source: string): object {
  return {
    specversion: '1.0',
    id,
    source,
    type: `CmkAutopilot.${kind.charAt(0).toUpperCase()}${kind.slice(1)}`,
    subject,
    time,
    datacontenttype: 'application/json',
    data: { severity, title, text, ...data },
  };
}

/** Standard Webhooks 1.0 (github.com/standard-webhooks/standard-webhooks), one signature for each secret. */
function sign(id: string, now: Date, body: string, secrets: readonly Buffer[]): Record<string, string> {
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const signatures = secrets.map(
    (secret) => `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
  );
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}

/** Fields for programs, which are not shown in a channel. */
const FOR_PROGRAMS = new Set(['client', 'correlationId', 'why', 'byKind', 'report']);

interface Fact {
  readonly name: string;
  readonly value: string;
}

/** Returns the single values of a notification with labels: `leftToStorage` becomes `Left to storage`. */
function factsOf({ data, time }: Notification): Fact[] {
  const facts = Object.entries(data).flatMap(([name, value]) => {
    const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    const label = words.charAt(0).toUpperCase() + words.slice(1);
    return typeof value === 'object' || FOR_PROGRAMS.has(name) ? [] : [{ name: label, value: String(value) }];
  });
  return [...facts, { name: 'Time', value: time }];
}

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
function slackMessage(notification: Notification): object {
  const { severity, title, text } = notification;
  const plain = (of: string, most: number) => ({ type: 'plain_text', emoji: false, text: escaped(of, most) });
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

/** Teams accepts about 28 KB in a workflow's message (Microsoft Teams connector, "Known issues and limitations"). */
const MOST_BYTES = 27_000;
/** Maximum number of lines; each becomes a paragraph. */
const MOST_LINES = 40;

const COLOR = { info: 'good', warning: 'warning', error: 'attention' } as const;

/**
 * Creates the payload of the Teams workflow "When a Teams webhook request is received": a message with one Adaptive
 * Card 1.5. All text is in text runs, which ignore Markdown: a name cannot become a link or a mention.
 */
function teamsMessage(notification: Notification): object {
  const facts = factsOf(notification);
  for (;;) {
    const message = teamsMessageWith(notification, facts);
    if (facts.length === 0 || Buffer.byteLength(JSON.stringify(message)) <= MOST_BYTES) return message;
    facts.pop();
  }
}

function teamsMessageWith({ severity, title, text }: Notification, facts: readonly Fact[]): object {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const paragraph = (...inlines: object[]) => ({ type: 'RichTextBlock', spacing: 'small', inlines });
  const run = (of: string, style: object = {}) => ({ type: 'TextRun', text: withoutTemplates(of), ...style });
  const card = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.5',
    fallbackText: withoutTemplates(title),
    body: [
      paragraph(run(title, { size: 'large', weight: 'bolder', color: COLOR[severity] })),
      ...lines.slice(0, MOST_LINES).map((line) => paragraph(run(line))),
      ...facts.map(({ name, value }) => paragraph(run(`${name}: `, { weight: 'bolder' }), run(value))),
    ],
  };

  const attachment = { contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content: card };

  return { type: 'message', attachments: [attachment] };
}

/** Breaks up `{{DATE(…)}}`, which cards replace, and `${…}`, which templates replace. */
function withoutTemplates(text: string): string {
  return text.replace(/\{(?=\{)/g, '{ ').replace(/\$(?=\{)/g, '$ ');
}
