import { KeyVaultError } from './errors.ts';
import type { Operation } from './operation.ts';

/** Finds the operation for a method and a path. Trailing slashes, empty parts and case do not matter. */
export function matchRoute(
  operations: readonly Operation[],
  method: string,
  pathname: string,
): { operation: Operation; params: Record<string, string> } {
  const parts = pathname.split('/').filter(Boolean).map(decode);
  let pathKnown = false;

  for (const operation of operations) {
    const params = matchParts(operation.route.split('/').filter(Boolean), parts);
    if (!params) continue;

    pathKnown = true;

    if (operation.method === method) return { operation, params };
  }

  if (pathKnown) throw new KeyVaultError(405, 'MethodNotAllowed', `Method ${method} is not allowed on ${pathname}.`);

  throw new KeyVaultError(404, 'NotFound', `There is no operation ${method} ${pathname}.`);
}

function matchParts(route: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  if (parts.length > route.length) return undefined;

  const params: Record<string, string> = {};

  for (const [index, expected] of route.entries()) {
    const part = parts[index];
    if (part === undefined) {
      if (!expected.endsWith('?')) return undefined;
    } else if (expected.startsWith(':')) {
      params[expected.replace(/[:?]/g, '')] = part;
    } else if (expected.toLowerCase() !== part.toLowerCase()) {
      return undefined;
    }
  }

  return params;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
