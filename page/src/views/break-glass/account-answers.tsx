import type { AccountRestoreResponse, AccountRevokeResponse } from '../../api/types.ts';
import { duration } from '../../ui/time.tsx';
import { Done } from './answer.tsx';
import { TakenList } from './taken.tsx';

/** What a revocation below the key would do, as the dry run says. */
export function AccountPreview({ answer }: { readonly answer: AccountRevokeResponse }) {
  const { takes, stops = [], goesOn = [], takesEffect, notDocumented = [], warnings } = answer;
  return (
    <>
      <Sentences title="Stops" of={stops} />
      <Sentences title="Goes on" of={goesOn} />
      <h4>Is taken away</h4>
      <TakenList taken={takes} nothing="Nothing: it has no access now. The record keeps it from being given any." />
      <h4>How soon</h4>
      <p>{takesEffect}</p>
      <Sentences title="Microsoft does not say" of={notDocumented} />
      <Sentences title="Before you do it" of={warnings} />
    </>
  );
}

function Sentences({ title, of }: { readonly title: string; readonly of: readonly string[] }) {
  if (of.length === 0) return null;
  return (
    <>
      <h4>{title}</h4>
      <ul class="sentences">
        {of.map((one) => (
          <li key={one}>{one}</li>
        ))}
      </ul>
    </>
  );
}

interface AccountRevokedProps {
  readonly answer: AccountRevokeResponse;
  readonly subject: string;
  /** Whether it was seen without a revocation since. */
  readonly isUndone: boolean;
}

/** What a revocation below the key came to. */
export function AccountRevoked({ answer, subject, isUndone }: AccountRevokedProps) {
  const { takes, elapsedMs, audit, warnings } = answer;
  if (isUndone) return <Done tone="none" title={`You revoked ${subject}. It has been restored since.`} warnings={[]} />;
  const took = elapsedMs < 1000 ? `${Math.round(elapsedMs)} ms` : duration(elapsedMs / 1000);
  return (
    <Done tone="good" title={`${subject} is revoked by itself.`} warnings={warnings}>
      <p>Nothing gives it access any more, as a fresh read proves, after {took}. Taken away:</p>
      <TakenList taken={takes} nothing="Nothing: it had no access." />
      <p>Audit trail: {audit}. Somebody else than you gives it back.</p>
    </Done>
  );
}

interface AccountRestoredProps {
  readonly answer: AccountRestoreResponse;
  readonly subject: string;
  /** Whether it was seen with a revocation since. */
  readonly isUndone?: boolean;
}

/** What a restore below the key came to. */
export function AccountRestored({ answer, subject, isUndone = false }: AccountRestoredProps) {
  if (answer.reason === 'NothingToRestore') {
    return (
      <Done tone="good" title="There was nothing to restore." warnings={answer.warnings}>
        <p>It carries no record of this revocation: it has been restored already, or was never there.</p>
      </Done>
    );
  }
  if (isUndone)
    return <Done tone="none" title={`You restored ${subject}. It has been revoked again since.`} warnings={[]} />;
  return (
    <Done tone="good" title={`${subject} is restored.`} warnings={answer.warnings}>
      <p>Given back, and nothing else:</p>
      <TakenList taken={answer.given} nothing="Nothing: it was there already, or there was nothing to take away." />
      <p>
        Its data is served again as Azure takes notice; it is moved to the newest version of its key by itself. Audit
        trail: {answer.audit}.
      </p>
    </Done>
  );
}
