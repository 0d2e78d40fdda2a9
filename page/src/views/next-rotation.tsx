import type { KeySummary } from '../api/types.ts';
import { inWords } from '../names.ts';
import { Time } from '../ui/time.tsx';

const WHO = {
  policy: "By Key Vault's rotation policy",
  app: 'By the app, near the expiry',
  person: 'By a person',
  nobody: 'Nobody',
} as const;

export function NextRotation({ next }: { readonly next: KeySummary['nextRotation'] }) {
  if (!next) return <>not known</>;
  return (
    <>
      {WHO[next.by]}
      {next.on && (
        <>
          , <Time at={next.on} />
        </>
      )}
      {next.reason && <small> ({inWords(next.reason)})</small>}
    </>
  );
}
