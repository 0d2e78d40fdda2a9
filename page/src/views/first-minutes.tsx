import { useEffect, useState } from 'preact/hooks';
import { count, digits } from '../../../src/keys/short-names.ts';
import { has, usePerson } from '../person.ts';
import { Icon } from '../ui/icon.tsx';
import { partOf, useStanding } from './use-standing.ts';

/**
 * Shows on every view that the index of the fleet is not complete, and its progress. Once complete, it sends no more
 * requests.
 */
export function FirstMinutes() {
  const me = usePerson();
  const [isBuilt, setBuilt] = useState(false);
  const fleet = partOf(useStanding(!isBuilt && has(me, 'CmkKey.Read')), 'fleet').data;
  const isListed = fleet?.listed === true;

  useEffect(() => {
    if (isListed) setBuilt(true);
  }, [isListed]);

  if (!fleet || isListed) return null;

  const { listed, all } = fleet.subscriptions;

  return (
    <section class="notice tone-info wide" aria-label="Index">
      <Icon tone="info" />
      <div>
        <p class="strong" role="status">
          The app builds its index: {digits(listed)} of {count(all, 'subscription')} read.
        </p>
        <progress value={listed} max={Math.max(all, 1)} aria-label="Subscriptions read" />
        <p>
          {count(fleet.accounts, 'account')} found so far. Until all are read, lists and counts on this page may lack
          accounts. Break-glass works without the index.
        </p>
      </div>
    </section>
  );
}
