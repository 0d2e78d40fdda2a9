import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface QueueSettings {
  readonly messageEncoding: 'base64' | 'none';
  /** Number of messages in a batch, 1 to 32. */
  readonly batchSize: number;
  /** The listener gets the next batch once it works on no more messages than this. */
  readonly newBatchThreshold: number;
  readonly maxDequeueCount: number;
  /** Milliseconds until a failed message is visible again. */
  readonly visibilityTimeoutMs: number;
  readonly maxPollingIntervalMs: number;
}

/** The options of host.json that this host supports. */
export interface HostSettings {
  readonly routePrefix: string;
  readonly queues: QueueSettings;
  readonly logLevel: Readonly<Record<string, string>>;
}

type Json = Record<string, unknown>;

/** @throws if the file is missing, not JSON, not of version 2.0, or has a value that the host would refuse */
export async function readHostSettings(appDir: string): Promise<HostSettings> {
  const path = join(appDir, 'host.json');
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new Error(`${path} cannot be read: ${(cause as Error).message}`, { cause });
  }

  try {
    return hostSettings(parsed as Json);
  } catch (cause) {
    throw new Error(`${path}: ${(cause as Error).message}`, { cause });
  }
}

export function hostSettings(hostJson: Json): HostSettings {
  if (hostJson.version !== '2.0') throw new Error('"version" must be "2.0".');

  const extensions = section(hostJson, 'extensions');
  const http = section(extensions, 'http');
  const queues = section(extensions, 'queues');
  const batchSize = whole(queues, 'batchSize', 16, 1, 32);

  return {
    routePrefix: typeof http.routePrefix === 'string' ? http.routePrefix.replaceAll(/^\/+|\/+$/g, '') : 'api',
    queues: {
      messageEncoding: encoding(queues.messageEncoding),
      batchSize,
      newBatchThreshold: whole(queues, 'newBatchThreshold', Math.floor(batchSize / 2), 0, Number.MAX_SAFE_INTEGER),
      maxDequeueCount: whole(queues, 'maxDequeueCount', 5, 1, Number.MAX_SAFE_INTEGER),
      visibilityTimeoutMs: duration(queues, 'visibilityTimeout', '00:00:00'),
      maxPollingIntervalMs: Math.max(100, duration(queues, 'maxPollingInterval', '00:01:00')),
    },
    logLevel: section(section(hostJson, 'logging'), 'logLevel') as Record<string, string>,
  };
}

function section(parent: Json, name: string): Json {
  const value = parent[name];
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`"${name}" is no object.`);
  return value as Json;
}

function encoding(value: unknown): 'base64' | 'none' {
  const text = String(value ?? 'base64').toLowerCase();
  if (text !== 'base64' && text !== 'none') throw new Error('"messageEncoding" must be "base64" or "none".');
  return text;
}

function whole(parent: Json, name: string, fallback: number, least: number, most: number): number {
  const value = parent[name] ?? fallback;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    throw new Error(`"${name}" must be a whole number from ${least} to ${most}.`);
  }
  return value;
}

function duration(parent: Json, name: string, fallback: string): number {
  const text = parent[name] ?? fallback;
  const ms = typeof text === 'string' ? timeSpanMs(text) : undefined;
  if (ms === undefined) throw new Error(`"${name}" must be a time span such as "00:00:15".`);
  return ms;
}

/** Milliseconds of a .NET time span, `[d.]hh:mm:ss[.fffffff]`; undefined if it is none. */
export function timeSpanMs(text: string): number | undefined {
  const match = /^(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})(\.\d{1,7})?$/.exec(text);
  if (!match) return undefined;
  const [, days = '0', hours, minutes, seconds, fraction = ''] = match;
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  const whole = ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds);
  return Math.round((whole + Number(`0${fraction}`)) * 1000);
}
