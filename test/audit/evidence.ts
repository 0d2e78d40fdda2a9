import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { ContainerClient } from '@azure/storage-blob';
import { auditFiles } from '../../src/audit/audit-client.ts';
import type { RecordAudit } from '../../src/audit/audit-trail.ts';
import { checkHeads, placedHeads } from '../../src/audit/check-heads.ts';
import type { HeadSigner } from '../../src/audit/head-signer-client.ts';
import { type HeadStore, headStore } from '../../src/audit/head-store-client.ts';
import { type LastHead, lastHead } from '../../src/audit/last-head-client.ts';
import { readLogEvidence } from '../../src/audit/log-evidence.ts';
import { CHAIN_START, type ChainEnd, formatRecord, parseRecord } from '../../src/audit/record.ts';
import { type VerifyTrailOptions, verifyTrail } from '../../src/audit/verify-trail.ts';
import { keepHead, lookAtTrail, type WatchServices } from '../../src/audit/watch-trail.ts';
import { entry, newContainer, newTrail } from './trails.ts';

export const LIMIT = 20_000;
export const KEY = 'https://kv-evidence.vault.azure.net/keys/audit-key/0123456789abcdef0123456789abcdef';
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });

/** Signs as Key Vault does; the vault itself is in test/drift/evidence.slow.test.ts. */
export function signerOf(key: KeyObject = privateKey): HeadSigner {
  return {
    async sign(head) {
      const text = ['cmk-autopilot audit head 1', head.trail, head.day, head.signedOn, head.file, head.seq, head.hash];
      const made = sign('sha256', Buffer.from(text.join('\n')), { key, dsaEncoding: 'ieee-p1363' });
      return { ...head, key: KEY, algorithm: 'ES256', signature: made.toString('base64url') };
    },
    publicKey: async (version) => (version === KEY ? publicKey.export({ format: 'jwk' }) : undefined),
  };
}

/** A trail over three days with four records each, looked at each night, and what the log has of it. */
export class Evidence {
  readonly container: ContainerClient;
  readonly headBlobs: ContainerClient;
  readonly heads: HeadStore;
  /** In a table, which whoever may write blobs may not. */
  readonly last: LastHead;
  readonly log: object[] = [];
  now = new Date('2026-11-24T03:00:00Z');
  readonly record: RecordAudit;
  readonly watch: WatchServices;

  constructor(connectionString: string, signer: HeadSigner | undefined = signerOf()) {
    this.container = newContainer(connectionString);
    this.headBlobs = newContainer(connectionString);
    this.heads = headStore(this.headBlobs);
    this.last = lastHead(this.container.url, { storage: { connectionString } }, () => {
      throw new Error('A connection string is all that it takes.');
    });
    this.record = newTrail(this.container, {
      now: () => this.now,
      onWritten: (_, { seq, hash }) => this.log.push({ reason: 'AuditWritten', receipt: `${seq}:${hash}` }),
    });
    this.watch = {
      trail: this.container.url,
      files: auditFiles(this.container),
      heads: this.heads,
      last: this.last,
      signer,
      now: () => this.now,
    };
  }

  async write(days: readonly string[], each = 4): Promise<void> {
    for (const day of days) {
      this.now = new Date(`${day}T03:00:00Z`);
      for (let n = 1; n <= each; n += 1) await this.record(entry(`${day}/${n}`), LIMIT);
      await this.look();
    }
  }

  /** A drift check's look; the reasons of what it finds. */
  async look(): Promise<string[]> {
    const look = await lookAtTrail(this.watch);
    const kept = await keepHead(look, this.watch);
    if (kept) this.log.push({ reason: 'AuditHeadKept', head: kept.head });
    return look.findings.map(({ file, line, reason }) => `${file}${line ? `:${line}` : ''} ${reason}`);
  }

  /** `verify` with the heads of each day, with the newest one in the table, or from an export of the log. */
  async verify(from: 'heads' | 'log' | 'table', options: VerifyTrailOptions = {}): Promise<string[]> {
    const logged = readLogEvidence(this.log.map((line) => `2026-11-26T00:00:00Z ${JSON.stringify(line)}`).join('\n'));
    const placed = placedHeads(from === 'heads' ? await this.heads.list() : [], this.now);
    const last = from === 'table' ? await this.last.read() : undefined;
    const heads = from === 'log' ? logged.heads : [...placed.heads, ...(last ? [last] : [])];
    const checked = await checkHeads(heads, this.container.url, signerOf().publicKey);
    const report = await verifyTrail(auditFiles(this.container), {
      ...options,
      heads: checked.heads,
      ...(from === 'log' ? { allReceipts: logged.receipts, loggedTo: logged.loggedTo } : {}),
    });
    return [...placed.findings, ...checked.findings, ...report.findings].map(
      ({ file, line, reason }) => `${file}${line ? `:${line}` : ''} ${reason}`,
    );
  }

  async lines(day: string): Promise<string[]> {
    const text = (await this.container.getBlobClient(`${day}.jsonl`).downloadToBuffer()).toString();
    return text.split('\n').slice(0, -1);
  }

  async put(day: string, lines: readonly string[]): Promise<void> {
    const blob = this.container.getAppendBlobClient(`${day}.jsonl`);
    await blob.create();
    const text = lines.map((line) => `${line}\n`).join('');
    if (text !== '') await blob.appendBlock(text, Buffer.byteLength(text));
  }

  /** The whole trail anew, every hash right, with an entry changed. */
  async rewrite(days: readonly string[], change: (resource: string) => string): Promise<void> {
    let end: ChainEnd = CHAIN_START;
    for (const day of days) {
      const lines: string[] = [];
      for (const line of await this.lines(day)) {
        const record = parseRecord(Buffer.from(line));
        if (!record) throw new Error('The trail is right before it is rewritten.');
        const { id, time, entry: was, next } = record;
        const content = next === undefined ? { entry: entry(change(String(was?.resource))) } : { next };
        const made = formatRecord(end, content, { id, time: new Date(time) });
        end = made.end;
        lines.push(made.line.slice(0, -1));
      }
      await this.put(day, lines);
    }
  }
}
