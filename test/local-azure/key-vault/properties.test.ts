import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addCalendarDuration, parseCalendarDuration } from '../../../local/azure/key-vault/calendar-duration.ts';
import { createKeyVersion } from '../../../local/azure/key-vault/keys.ts';
import { page } from '../../../local/azure/key-vault/paging.ts';
import { takeRsaKey } from '../../../local/azure/key-vault/rsa-pool.ts';
import { vaultFixture } from './fixture.ts';

const day = 86_400_000;
const privateKey = takeRsaKey(2048);

describe('properties', () => {
  it('the pages of a list are the list', () => {
    fc.assert(
      fc.property(fc.nat(120), fc.option(fc.integer({ min: 1, max: 25 })), (count, size) => {
        const items = Array.from({ length: count }, (_, kid) => ({ kid }));
        const seen: unknown[] = [];
        let url: string | null = `https://kv.vault.azure.net/keys?api-version=7.6${size ? `&maxresults=${size}` : ''}`;
        for (let pages = 0; url; pages++) {
          expect(pages).toBeLessThanOrEqual(count);
          const { value, nextLink }: ReturnType<typeof page> = page(items, new URL(url), '7.6');
          seen.push(...value);
          url = nextLink;
        }
        expect(seen).toEqual(items);
      }),
    );
  });

  it('a duration that is added and taken away leads back, but for days that the month does not have', () => {
    const parts = fc.record({ years: fc.nat(5), months: fc.nat(24), days: fc.nat(400) });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e9 }), parts, (start, { years, months, days }) => {
        const duration = parseCalendarDuration(`P${years}Y${months}M${days}D`);
        if (!duration) throw new Error('not parsed');
        const there = addCalendarDuration(start, duration);
        expect(there).toBeGreaterThanOrEqual(start);
        const back = addCalendarDuration(there, duration, -1);
        expect(Math.abs(back - start)).toBeLessThanOrEqual(6 * 86_400);
      }),
    );
  });

  it('whatever happens to a key, each version has each expiry event at most once for an expiry, and none too early', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('advance' as const), days: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ do: fc.constant('create' as const), days: fc.integer({ min: 1, max: 120 }) }),
      fc.record({ do: fc.constant('move' as const), days: fc.integer({ min: 1, max: 120 }) }),
      fc.record({ do: fc.constantFrom('rotate' as const, 'disable' as const, 'delete' as const, 'recover' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const { ask, vault, world } = vaultFixture();
        const seen: string[] = [];
        world.publish = ({ type, keyName, version }) => {
          const key = vault.keys.get(keyName.toLowerCase());
          expect(key?.versions.at(-1)).toBe(version); // only the newest version of a live key
          const exp = version.exp ?? Number.POSITIVE_INFINITY;
          const nowSeconds = world.clock.nowMs() / 1000;
          if (type.endsWith('KeyNearExpiry')) expect(nowSeconds).toBeGreaterThanOrEqual(exp - 30 * 86_400);
          if (type.endsWith('KeyExpired')) expect(nowSeconds).toBeGreaterThanOrEqual(exp);
          seen.push(`${type} ${version.version} ${exp}`);
        };
        const inDays = (days: number): number => world.clock.nowSeconds() + days * 86_400;
        createKeyVersion(world, vault, 'k1', { privateKey, exp: inDays(60) });
        const put = { lifetimeActions: [], attributes: { expiryTime: 'P60D' } };
        await ask('PUT', '/keys/k1/rotationpolicy', put);
        for (const one of steps) {
          if (one.do === 'advance') world.clock.advance(one.days * day);
          else if (one.do === 'create' && vault.keys.has('k1')) {
            createKeyVersion(world, vault, 'k1', { privateKey, exp: inDays(one.days) });
          } else if (one.do === 'move') await ask('PATCH', '/keys/k1/', { attributes: { exp: inDays(one.days) } });
          else if (one.do === 'rotate') await ask('POST', '/keys/k1/rotate');
          else if (one.do === 'disable') await ask('PATCH', '/keys/k1/', { attributes: { enabled: false } });
          else if (one.do === 'delete') await ask('DELETE', '/keys/k1');
          else if (one.do === 'recover') await ask('POST', '/deletedkeys/k1/recover');
        }
        world.clock.stop();
        expect(new Set(seen).size).toBe(seen.length);
      }),
      { numRuns: 30 },
    );
  });
});
