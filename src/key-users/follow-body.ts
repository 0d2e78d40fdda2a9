import { formatSpelledKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import type { FollowWrite } from './key-user-types.ts';
import { readPath } from './read-updates.ts';

/** The body of the PATCH that makes a resource follow new versions, from its properties as read right before. */
export function createFollowBody({ keeps, unversions = [], sets = {} }: FollowWrite, read: unknown): object {
  const properties: Record<string, unknown> = {};
  for (const path of keeps) setPath(properties, path, structuredClone(readPath(read, path)));
  for (const path of unversions) setPath(properties, path, withoutVersion(readPath(read, path)));
  for (const [path, value] of Object.entries(sets)) setPath(properties, path, value);

  return { properties };
}

function withoutVersion(identifier: unknown): string | undefined {
  const key = typeof identifier === 'string' ? parseKeyIdentifier(identifier) : undefined;
  return key && formatSpelledKeyIdentifier(key);
}

/** Leaves out what the resource does not have. */
function setPath(target: Record<string, unknown>, path: string, value: unknown): void {
  if (value === undefined) return;

  const names = path.split('.');
  const last = names.pop() ?? path;
  let node = target;
  for (const name of names) {
    node[name] ??= {};
    node = node[name] as Record<string, unknown>;
  }

  node[last] = value;
}
