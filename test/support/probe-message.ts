import type { ExpectedEffect } from '../../src/effect/effect.ts';
import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import type { Cause, ProbeWork } from '../../src/work/messages.ts';

/** The message that has the effect of a change followed until it is seen. */
export function probeMessage(key: ManagedKey, expect: ExpectedEffect, since: Date, cause: Cause): ProbeWork {
  return { kind: 'probe', key: key.id, expect, since: since.toISOString(), cause, attempt: 0 };
}
