import { badParameter } from './errors.ts';

/** `attributes` of a create, import or update. Absent and null leave the value unchanged. */
export interface AskedAttributes {
  enabled?: boolean;
  nbf?: number;
  exp?: number;
}

export function readAttributes(body: Record<string, unknown>): AskedAttributes {
  const asked = body.attributes ?? {};
  if (typeof asked !== 'object' || Array.isArray(asked)) throw badParameter('attributes must be an object.');
  const { enabled, nbf, exp } = asked as Record<string, unknown>;
  return {
    ...(enabled !== undefined && enabled !== null ? { enabled: boolean(enabled) } : {}),
    ...(nbf !== undefined && nbf !== null ? { nbf: seconds(nbf, 'nbf') } : {}),
    ...(exp !== undefined && exp !== null ? { exp: seconds(exp, 'exp') } : {}),
  };
}

/** `tags` of a request; undefined if the request has none. */
export function readTags(body: Record<string, unknown>): Record<string, string> | undefined {
  const { tags } = body;
  if (tags === undefined || tags === null) return undefined;
  if (typeof tags !== 'object' || Object.values(tags).some((value) => typeof value !== 'string')) {
    throw badParameter('tags must be an object of strings.');
  }
  return { ...(tags as Record<string, string>) };
}

/** `key_ops` of a request (an import has them inside the key); undefined if the request has none. */
export function readKeyOps(body: Record<string, unknown>): string[] | undefined {
  const { key_ops: operations } = body;
  if (operations === undefined || operations === null) return undefined;
  const known = ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey', 'import', 'export'];
  if (!Array.isArray(operations)) throw badParameter('key_ops must be an array.');
  const unknown = operations.find((one) => !known.includes(String(one)));
  if (unknown !== undefined) throw badParameter(`Unknown key operation: ${String(unknown)}`);
  return operations.map(String);
}

function boolean(value: unknown): boolean {
  if (typeof value !== 'boolean') throw badParameter('attributes.enabled must be true or false.');
  return value;
}

function seconds(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw badParameter(`attributes.${name} must be a time in whole seconds since 1970.`);
  }
  return value;
}
