import type { KeyList } from '../api/types.ts';
import { Icon } from '../ui/icon.tsx';
import { Prose } from '../ui/prose.tsx';

/** What a list of keys may lack, and what an empty one means. */
export function UnreadVaults({ of: { value, vaults } }: { readonly of: KeyList }) {
  const unread = vaults.flatMap(({ vault, unread: why }) => (why ? [{ vault, why }] : []));
  if (unread.length === 0) return value.length > 0 ? null : <p>The managed vaults have no key that you may see.</p>;

  return (
    <div class="notice tone-warn">
      <Icon tone="warn" />
      <div>
        <p class="strong">Keys may be missing here: these vaults could not be listed.</p>
        <ul>
          {unread.map(({ vault, why }) => (
            <li key={vault}>
              {vault}: <Prose text={why.detail} />
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}
