import { expect, it } from 'vitest';
import { targetOf } from '../../page/src/views/headline-target.ts';
import type { SeenNow } from '../../page/src/views/now-seen.ts';

const cause = (severity: string, sample: readonly string[] = []) => ({
  id: 'c1',
  severity,
  sample,
  about: ['https://kv-files.vault.azure.net/keys/files-key'],
});
const seen = (counts: object, causes: readonly object[], states = {}) =>
  ({
    line: '',
    tone: 'bad',
    parts: { drift: { value: { report: { counts, causes } } }, fleet: { value: { states } } },
  }) as unknown as SeenNow;

it.each([
  ['accounts in a state', seen({ error: 2 }, [cause('error')], { NoAccess: 12 }), [['fleet'], { health: 'NoAccess' }]],
  [
    'one cause with accounts',
    seen({ error: 1 }, [cause('error', ['/x/storageAccounts/a'])]),
    [['fleet'], { cause: 'c1' }],
  ],
  ['one cause about a key', seen({ error: 1 }, [cause('error')]), [['keys', 'kv-files', 'files-key']]],
  ['several causes, which are listed below', seen({ error: 2 }, [cause('error'), cause('error')]), undefined],
  [
    'accounts behind before warnings',
    seen({ warning: 1 }, [cause('warning')], { Stale: 3 }),
    [['fleet'], { health: 'Stale' }],
  ],
  ['advice, which is nothing wrong', seen({ warning: 0 }, [cause('advice')]), undefined],
])('The headline links to what it counts: %s', (_, now, target) => {
  expect(targetOf(now)).toEqual(target);
});
