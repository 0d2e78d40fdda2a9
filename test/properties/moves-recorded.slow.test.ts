import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { KeyVersion, StorageAccount } from '../../local/azure/world.ts';
import type { Services } from '../../src/services.ts';
import { useAccounts, versionInUse } from '../accounts/account-fixture.ts';

// Guards, over the wire, with two instances:
// invariant 8 (what was moved is recorded as moved, once, whatever gets lost and whoever dies),
// invariant 2 (never backwards).

const { audited, expireLease, instance, key: newKey, reconcile, wire } = useAccounts();

/** What becomes of a look at an account: of its PATCH, of its audit record, or of the instance itself. */
const FATES = [
  'none',
  'lost',
  'cut',
  'failed',
  'audit late',
  'audit down',
  'dies before audit',
  'dies after audit',
] as const;
type Fate = (typeof FATES)[number];
type Step =
  | { readonly what: 'version' }
  | { readonly what: 'toggle'; readonly which: number }
  | { readonly what: 'look'; readonly account: number; readonly by: number; readonly fate: Fate };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ what: fc.constant('version' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('toggle' as const), which: fc.nat(5) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      what: fc.constant('look' as const),
      account: fc.nat(1),
      by: fc.nat(1),
      fate: fc.constantFrom(...FATES),
    }),
  },
);

const PATCH_FAULTS: Partial<Record<Fate, object>> = {
  lost: { resetAfter: true },
  cut: { reset: true },
  failed: { answer: { status: 500, body: { error: { code: 'InternalError' } } } },
};

/** An instance that meets that fate; `died` resolves when it does no more. */
function fated(services: Services, fate: Fate): { readonly services: Services; readonly died: Promise<void> } {
  let die = () => {};
  const died = new Promise<void>((resolve) => {
    die = resolve;
  });
  const audit: Services['audit'] = async (...entry) => {
    if (fate === 'audit down') return { failed: 'down' };
    const outcome = fate === 'dies before audit' ? undefined : await services.audit(...entry);
    if (fate === 'audit late') return { failed: 'late' };
    if (!fate.startsWith('dies') && outcome) return outcome;
    die();
    return new Promise<never>(() => {});
  };
  return { services: { ...services, audit }, died };
}

it('every move that Azure made is in the audit trail once, and nothing else is', async () => {
  const instances = [instance(), instance()];
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 10 }), async (steps) => {
      const key = newKey();
      const accounts = [key.account('pinned'), key.account('automaticEmpty')];
      const moves: { account: string; from: string | undefined; to: string | undefined }[] = [];
      const versions = (): KeyVersion[] => key.vault.keys.get(key.name)?.versions ?? [];
      const age = (version: string | undefined) => versions().findIndex((one) => one.version === version);

      const look = async (account: StorageAccount, by: number, fate: Fate): Promise<void> => {
        const before = versionInUse(account);
        const fault = PATCH_FAULTS[fate];
        if (fault)
          wire.azure.faults.add([{ match: { method: 'PATCH', path: `${account.name}\\?` }, times: 1, ...fault }]);
        const { services, died } = fated(instances[by] ?? instance(), fate);
        await Promise.race([reconcile(key.accountWork(account), services), died]);
        wire.azure.faults.clear();
        await expireLease(account); // as it does in time, whoever had it
        const after = versionInUse(account);
        if (after === before) return;
        expect(age(after)).toBeGreaterThan(age(before));
        moves.push({ account: account.id, from: before, to: after });
      };
      for (const one of steps) {
        const account = one.what === 'look' ? accounts[one.account] : undefined;
        const version = one.what === 'toggle' ? versions()[one.which % versions().length] : undefined;
        if (one.what === 'version') key.add({ privateKey: key.first.privateKey });
        if (version) version.enabled = !version.enabled;
        if (one.what === 'look' && account) await look(account, one.by, one.fate);
      }
      // What one that died had begun is left alone twice, then judged, and then there may be a newer version.
      for (let n = 0; n < 4; n += 1) for (const account of accounts) await look(account, 0, 'none');
      const entries = (await Promise.all(accounts.map(audited))).flat();
      const recorded = entries.map(({ resource, details }) => ({
        account: resource,
        from: String(details?.from).split('/').at(-1),
        to: String(details?.to).split('/').at(-1),
      }));
      const sorted = (list: typeof moves) => list.map((move) => JSON.stringify(move)).sort();
      expect(sorted(recorded)).toEqual(sorted(moves));
      for (const { name } of accounts) wire.azure.world.storageAccounts.delete(name);
    }),
    { numRuns: 10 },
  );
});
