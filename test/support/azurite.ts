import { afterAll, beforeAll } from 'vitest';
import { type Azurite, startAzurite } from '../../local/run/azurite.ts';

/** Azurite for the tests of one file, empty, on ports of its own: `const azurite = useAzurite()` at the top level. */
export function useAzurite(): { readonly connectionString: string } {
  let azurite: Azurite | undefined;
  beforeAll(async () => {
    azurite = await startAzurite();
  });
  afterAll(() => azurite?.stop());
  return {
    get connectionString() {
      if (!azurite) throw new Error('Azurite runs inside tests and hooks only.');
      return azurite.connectionString;
    },
  };
}
