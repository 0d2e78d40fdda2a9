import { afterAll, beforeAll } from 'vitest';
import { type Azurite, startAzurite } from '../../local/run/azurite.ts';
import { launchAzurite } from '../../local/run/azurite-process.ts';
import { Child } from '../../local/run/child-process.ts';

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

/** The same in a process of its own, whose time of day can be moved. */
export function useAzuriteProcess(): { readonly connectionString: string; readonly child: Child } {
  let azurite: { connectionString: string; child: Child } | undefined;
  beforeAll(async () => {
    const { PATH = '', HOME = '' } = process.env;
    const { child, connectionString } = launchAzurite((options) => new Child(options), {
      env: { PATH, HOME },
      heard: () => undefined,
    });
    azurite = { child, connectionString: await connectionString };
  });

  afterAll(() => azurite?.child.kill());

  const running = () => {
    if (!azurite) throw new Error('Azurite runs inside tests and hooks only.');
    return azurite;
  };

  return {
    get connectionString() {
      return running().connectionString;
    },
    get child() {
      return running().child;
    },
  };
}
