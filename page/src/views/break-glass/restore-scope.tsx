import { count, shortVersion } from '../../../../src/keys/short-names.ts';
import type { KeyStatusResponse } from '../../api/types.ts';
import { Facts } from '../../ui/section.tsx';
import { Time } from '../../ui/time.tsx';

/** What a revocation stopped and what its restore would enable, for the second person to check. */
export function RestoreScope({ status }: { readonly status: KeyStatusResponse }) {
  const { versions, dependents, effect } = status;
  const { accounts, otherResources, complete, asOf } = dependents;
  const back = versions.filter(({ revoked }) => revoked);
  const stay = versions.filter(({ state, revoked }) => state === 'Disabled' && !revoked);
  const refusing = effect.filter(({ state }) => state === 'blocked').length;
  const others = otherResources.length > 0 ? ` and ${count(otherResources.length, 'other resource')}` : '';

  return (
    <Facts
      items={[
        [
          'What it stopped',
          <>
            {`${complete ? '' : 'at least '}${count(accounts.length, 'storage account')}${others}`}
            {asOf && (
              <>
                , as the index knew at <Time at={asOf} />
              </>
            )}
            {`; ${count(refusing, 'service')} seen refusing`}
          </>,
        ],
        [
          'What comes back',
          back.length === 0
            ? 'no version: none has the record of this revocation'
            : `${count(back.length, 'version')}: ${back.map(({ version }) => shortVersion(version)).join(', ')}`,
        ],
        stay.length > 0
          ? ['What stays disabled', `${count(stay.length, 'version')} that this revocation did not disable`]
          : undefined,
      ]}
    />
  );
}
