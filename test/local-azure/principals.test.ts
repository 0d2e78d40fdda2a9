import { expect, it } from 'vitest';
import { signIns } from '../../local/azure/entra/principals.ts';

it('secrets are letters and digits, which every shell and command line takes as they are', () => {
  const secrets = Array.from({ length: 20 }, () => signIns().map(({ secret }) => secret)).flat();
  expect(secrets.filter((secret) => !/^[0-9a-z]{32,}$/.test(secret))).toEqual([]);
  expect(new Set(secrets).size).toBe(secrets.length);
});
