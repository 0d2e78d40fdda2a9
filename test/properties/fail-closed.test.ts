import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { type KeyEventType, parseKeyEvent } from '../../src/events/key-vault-event.ts';
import { KEY, keyVersion, VAULT, VAULT_ID, VAULTS } from '../support/keys.ts';

// Guards invariant 9: nothing that an event or a message supplies becomes a host name or a path without matching a
// managed vault.

const TYPE: KeyEventType = 'Microsoft.KeyVault.KeyNewVersionCreated';
const GOOD = keyVersion(1).id;
const KEY_OF_VAULT = /^https:\/\/kv-files\.vault\.azure\.net\/keys\/[0-9A-Za-z-]{1,127}$/;

/** A text with a few characters put in, taken out or replaced. */
const mutated = (text: string) =>
  fc
    .array(
      fc.tuple(
        fc.nat(text.length),
        fc.nat(3),
        fc.oneof(
          fc.string({ maxLength: 3 }),
          fc.constantFrom('/', '@', '#', '?', '%2f', '..', ':', '\\', '.', '\n', '\t', ' '),
        ),
      ),
      {
        minLength: 1,
        maxLength: 3,
      },
    )
    .map((edits) =>
      edits.reduce((now, [at, remove, insert]) => now.slice(0, at) + insert + now.slice(at + remove), text),
    );

it('An identifier yields a key of a managed vault, or nothing', () => {
  fc.assert(
    fc.property(fc.oneof(mutated(GOOD), mutated(KEY.id), fc.webUrl(), fc.string()), (identifier) => {
      const key = VAULTS.key(identifier);
      if (!key) return;
      expect(key.vault).toBe(VAULT);
      expect(key.id).toMatch(KEY_OF_VAULT);
      expect(new URL(key.id).host).toBe('kv-files.vault.azure.net');
      expect(new URL(key.id).pathname).toBe(`/keys/${key.name.toLowerCase()}`);
    }),
    { numRuns: 5_000 },
  );
});

it('An event yields a key version of the managed vault that sent it, or is rejected with a reason', () => {
  const source = fc.oneof(fc.constant(VAULT_ID), mutated(VAULT_ID), fc.string());
  const id = fc.oneof(fc.constant(GOOD), mutated(GOOD), fc.anything());
  const type = fc.oneof(fc.constant(TYPE), fc.string(), fc.anything());

  fc.assert(
    fc.property(fc.oneof(fc.record({ type, source, data: fc.record({ Id: id }) }), fc.anything()), (event) => {
      const parsed = parseKeyEvent(event, TYPE, VAULTS);
      if ('refused' in parsed) {
        expect(parsed.refused).toMatch(/^Event/);
        expect(parsed.detail).toMatch(/^The event .*\.$/s);
        return;
      }
      expect(parsed.key.vault).toBe(VAULT);
      expect(parsed.key.id).toMatch(KEY_OF_VAULT);
      expect(parsed.version).toMatch(/^[0-9a-z]{32}$/);
    }),
    { numRuns: 5_000 },
  );
});
