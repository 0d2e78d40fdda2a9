import type { KeyRevocation } from '../revocation/revoke-key.ts';

export function unrecordedWarning({ unrecorded, revocation, complete }: KeyRevocation): string[] {
  return [
    ...(unrecorded.length > 0
      ? [
          `A restore will leave these versions off, since they have no tag to spare for the record: ${unrecorded.join(', ')}.`,
        ]
      : []),
    ...(complete && !revocation
      ? [
          'No version of the key carries the record of this revocation, so a version that is made later is not kept disabled. Take a tag off one of the versions and repeat the call.',
        ]
      : []),
  ];
}
