import { badParameter } from './errors.ts';

/** 1–127 of [0-9A-Za-z-] (Key Vault, "About keys, secrets and certificates"). */
export function checkKeyName(name: string): void {
  if (!/^[0-9A-Za-z-]{1,127}$/.test(name)) throw badParameter(`The request URI contains an invalid name: ${name}`);
}

/** At most 15 tags, names and values of at most 256 characters (Key Vault, "About keys"). */
export function checkTags(tags: Record<string, string> | undefined): void {
  const entries = Object.entries(tags ?? {});
  if (entries.length > 15) throw badParameter(`Too many tags: ${entries.length}. A key can have at most 15.`);
  for (const [name, value] of entries) {
    if (name.length > 256 || value.length > 256) {
      throw badParameter('The name and the value of a tag can have at most 256 characters.');
    }
  }
}

/** A key must not expire before it becomes active. */
export function checkValidity(nbf: number | undefined, exp: number | undefined): void {
  if (nbf !== undefined && exp !== undefined && exp <= nbf) {
    throw badParameter("The 'exp' attribute must be later than the 'nbf' attribute.");
  }
}
