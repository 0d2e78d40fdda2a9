import { readdirSync, readFileSync } from 'node:fs';
import type { World, WorldSettings } from '../../../local/azure/world.ts';

/** One recorded request and its answer, as the files of `recordings/more/` have it. */
export interface Pair {
  readonly i: number;
  readonly command: string;
  readonly method: string;
  readonly uri: string;
  readonly body: Record<string, unknown> | null;
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly response: unknown;
}

export interface Recording {
  readonly name: string;
  readonly pairs: readonly Pair[];
  /** Sku of the second vault, where the recording itself does not show it. */
  readonly vault?: { sku: Record<string, unknown> };
  readonly account?: Record<string, unknown>;
}

/** What a replay has to be told, since the recording does not show it. By index of a pair. */
export interface SceneOptions {
  readonly settings?: Partial<WorldSettings>;
  /** Kind and SKU of the accounts that were there. */
  readonly account?: { kind: string; skuName: string };
  /** What happened between two pairs. */
  readonly before?: Record<number, (world: World, names: Map<string, string>) => unknown>;
  /** Headers of a request: the recordings have none. */
  readonly headers?: Record<number, (world: World) => Record<string, string>>;
}

const folder = new URL('../recordings/more/', import.meta.url);

export function recordingNames(): string[] {
  return readdirSync(folder).map((file) => file.replace('.json', ''));
}

export function readRecording(name: string): Recording {
  return { name, ...(JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as Omit<Recording, 'name'>) };
}
