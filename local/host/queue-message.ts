import type { TypedData } from './core-types.ts';
import type { QueueSettings } from './host-json.ts';

type Encoding = QueueSettings['messageEncoding'];

/** A message of the queue service. */
export interface QueueMessage {
  readonly messageId: string;
  readonly popReceipt: string;
  readonly messageText: string;
  readonly dequeueCount: number;
  readonly insertedOn: Date;
  readonly expiresOn: Date;
  readonly nextVisibleOn: Date;
}

/** The text of a message; undefined if it should be base64 and is not. */
export function decodeMessage(text: string, encoding: Encoding): string | undefined {
  if (encoding === 'none') return text;
  const compact = text.replaceAll(/\s/g, '');
  if (compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) return undefined;
  return Buffer.from(compact, 'base64').toString('utf8');
}

export function encodeMessage(content: string | Uint8Array, encoding: Encoding): string {
  const bytes = Buffer.from(content as string); // copies bytes, encodes text
  return encoding === 'none' ? bytes.toString('utf8') : bytes.toString('base64');
}

/** The argument of the function: JSON is parsed on the way, and a JSON boolean arrives in .NET's spelling. */
export function triggerData(text: string): TypedData {
  const value = parseJson(text);
  if (typeof value === 'boolean') return { string: dotNetText(value) };
  return typeof value === 'object' && value !== null ? { json: text } : { string: text };
}

/**
 * The message's properties. The top-level keys of a JSON body override them, without regard to case: a body with an
 * `id` hides the message's own.
 */
export function triggerMetadata(message: QueueMessage, text: string): Record<string, TypedData> {
  const metadata: Record<string, TypedData> = {
    QueueTrigger: { string: text },
    DequeueCount: { json: String(message.dequeueCount) },
    ExpirationTime: { json: JSON.stringify(dotNetTime(message.expiresOn)) },
    Id: { string: message.messageId },
    InsertionTime: { json: JSON.stringify(dotNetTime(message.insertedOn)) },
    NextVisibleTime: { json: JSON.stringify(dotNetTime(message.nextVisibleOn)) },
    PopReceipt: { string: message.popReceipt },
  };

  const body = parseJson(text);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return metadata;

  for (const [key, value] of Object.entries(body)) {
    const name = Object.keys(metadata).find((known) => known.toLowerCase() === key.toLowerCase()) ?? key;
    if (value === null) delete metadata[name];
    else metadata[name] = typeof value === 'object' ? { json: JSON.stringify(value) } : { string: dotNetText(value) };
  }

  return metadata;
}

/**
 * The messages of an output value: one for each element of an array. A JSON string is parsed too, and its times are
 * rewritten in .NET's format, so functions should pass objects.
 */
export function outputMessages(data: TypedData): (string | Uint8Array)[] {
  if (data.bytes) return [data.bytes];
  if (data.json !== undefined) return split(JSON.parse(data.json) as unknown, data.json);
  if (data.string !== undefined) {
    const value = parseJson(data.string);
    if (typeof value !== 'object' || value === null) return [data.string];
    const reformatted: unknown = JSON.parse(data.string, (_key, field: unknown) => reformatTime(field));
    return split(reformatted, JSON.stringify(reformatted));
  }
  return [String(data.int ?? data.double ?? '')];
}

function split(value: unknown, text: string): string[] {
  if (!Array.isArray(value)) return [typeof value === 'string' ? value : text];
  return value
    .filter((element) => element !== null)
    .map((element) => (typeof element === 'string' ? element : JSON.stringify(element)));
}

function reformatTime(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{1,7}?)0*(Z|[+-]\d\d:\d\d)$/.exec(value);
  if (!match) return value;
  const [, seconds, fraction, zone] = match;
  return /^0*$/.test(fraction ?? '') ? `${seconds}${zone}` : `${seconds}.${fraction}${zone}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function dotNetText(value: unknown): string {
  if (typeof value !== 'boolean') return String(value);
  return value ? 'True' : 'False';
}

function dotNetTime(date: Date): string {
  return date.toISOString().replace(/(?:\.000)?Z$/, '+00:00');
}
