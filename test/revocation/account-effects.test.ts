import { describe, expect, it } from 'vitest';
import { type AccountFacts, accountEffects } from '../../src/revocation/account-effects.ts';

const FACTS: AccountFacts = {
  account: 'stfiles01',
  scope: undefined,
  key: 'kv-files/files-key',
  shares: ['share1', 'share2'],
  scopes: [
    { name: 'same', key: 'kv-files/files-key' },
    { name: 'sibling', key: 'kv-files/archive-key' },
    { name: 'elsewhere', key: 'kv-records/records-key' },
  ],
  onVault: false,
  inHsm: false,
};
const text = (change: Partial<AccountFacts>) => {
  const { stops, goesOn, notDocumented } = accountEffects({ ...FACTS, ...change });
  return { stops: stops.join('\n'), goesOn: goesOn.join('\n'), notDocumented: notDocumented.join('\n') };
};

describe('what a revocation below the key stops, and leaves running', () => {
  it('is said of an identity whose role is of the key alone', () => {
    const { stops, goesOn, notDocumented } = text({});
    expect(stops).toMatch(/share1, share2/);
    expect(stops).toMatch(/scopes same\./);
    expect(goesOn).toMatch(/scopes sibling, elsewhere, which use another key/);
    expect(goesOn).toMatch(/every other account/);
    expect(notDocumented).toMatch(/no figure is published/);
  });

  it('is more where the role is of the whole vault, and said without shares or scopes too', () => {
    expect(text({ onVault: true }).stops).toMatch(/scopes same, sibling\.[\s\S]*other keys of kv-files/);
    const bare = text({ shares: [], scopes: [] });
    expect(bare.stops).toMatch(/file shares and blobs/);
    expect(bare.goesOn).not.toMatch(/scopes/);
  });

  it('is said of a key in a Managed HSM: how soon its roles count nobody documents', () => {
    expect(accountEffects({ ...FACTS, inHsm: true }).takesEffect).toMatch(
      /Managed HSM are refused once it has the change/,
    );
    expect(text({ inHsm: true }).notDocumented).toMatch(/How long a local role counts/);
    expect(text({}).notDocumented).not.toMatch(/local role/);
  });

  it('is said of an encryption scope: blobs, and no file share', () => {
    const { stops, goesOn } = text({ scope: 'same' });
    expect(stops).toMatch(/encryption scope same/);
    expect(goesOn).toMatch(/Azure Files has no encryption scopes/);
    expect(goesOn).toMatch(/with its scopes sibling, elsewhere/);
    expect(text({ scope: 'same', scopes: [] }).goesOn).toMatch(/Blobs of stfiles01 without a scope\./);
  });
});
