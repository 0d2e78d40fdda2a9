import { describe, expect, it } from 'vitest';
import { useLocalAzure } from '../support/local-azure.ts';

const local = useLocalAzure({ fleet: 'sample' });

describe('the wire', () => {
  it('refuses every other host at once, and notes it', async () => {
    const since = local.azure.requests.last;
    await expect(fetch('https://example.com/')).rejects.toThrow();
    expect(local.azure.requests.since(since)).toMatchObject([
      { host: 'example.com', method: 'CONNECT', status: 403, refused: true },
    ]);
  });
});
