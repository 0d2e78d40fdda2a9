import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenCredential } from '../azure/credential.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { LIMITS } from '../azure/limits.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { Settings } from '../settings/settings.ts';
import { auditFiles } from './audit-client.ts';
import type { AuditFiles } from './audit-files.ts';
import { auditContainer } from './audit-storage-client.ts';
import { auditTrail, type RecordAudit } from './audit-trail.ts';
import { HEADS_CONTAINER } from './container-name.ts';
import { headSigner } from './head-signer-client.ts';
import { headStore } from './head-store-client.ts';
import { lastHead } from './last-head-client.ts';
import type { WatchServices } from './watch-trail.ts';

/** The trail of this process: what is written and what fails is told to the log. */
export function createAudit(
  files: AuditFiles,
  { now, newId }: { readonly now: () => Date; readonly newId: () => string },
  log: Log,
): RecordAudit {
  return auditTrail(files, {
    now,
    newId,
    sleep: (ms) => sleep(ms),
    random: Math.random,
    onWritten: ({ action, resource, id }, { file, seq, hash }) => {
      const about = { action, key: resource, entry: id, file, receipt: `${seq}:${hash}` };
      log({ level: 'info', reason: 'AuditWritten', message: REASONS.AuditWritten, ...about });
    },
    onFailure: (error, entries) => {
      const message = `${REASONS.AuditFailed} ${describe(describeFailure(error))}`;
      for (const entry of entries) log({ level: 'error', reason: 'AuditFailed', message, entry });
    },
  });
}

/** What the trail is checked by, and held to: its files, the ends that are kept elsewhere, and the key that signs them. */
export function createWatch(
  settings: Pick<Settings, 'storage' | 'auditKey'>,
  identity: TokenCredential,
  now: () => Date,
): WatchServices {
  const { auditKey } = settings;
  const container = auditContainer(settings, () => identity);
  return {
    trail: container.url,
    files: auditFiles(container),
    heads: headStore(auditContainer(settings, () => identity, HEADS_CONTAINER)),
    last: lastHead(container.url, settings, () => identity),
    signer: auditKey === undefined ? undefined : headSigner(auditKey, identity, LIMITS.keyWork),
    now,
  };
}
