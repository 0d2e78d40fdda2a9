import { generateKeyPairSync, sign } from 'node:crypto';
import type { ContainerClient } from '@azure/storage-blob';
import { beforeEach, describe, expect, it } from 'vitest';
import { auditFiles } from '../../src/audit/audit-client.ts';
import type { RecordAudit } from '../../src/audit/audit-trail.ts';
import { checkHeads } from '../../src/audit/check-heads.ts';
import type { HeadSigner } from '../../src/audit/head-signer-client.ts';
import { headStore } from '../../src/audit/head-store-client.ts';
import { readLogEvidence } from '../../src/audit/log-evidence.ts';
import { CHAIN_START, type ChainEnd, formatRecord, parseRecord } from '../../src/audit/record.ts';
import type { SignedHead } from '../../src/audit/signed-head.ts';
import { type VerifyTrailOptions, verifyTrail } from '../../src/audit/verify-trail.ts';
import { keepHead, lookAtTrail, type WatchServices } from '../../src/audit/watch-trail.ts';
import { useAzurite } from '../support/azurite.ts';
import { entry, newContainer, newTrail } from './trails.ts';

const azurite = useAzurite();
const LIMIT = 20_000;
const KEY = 'https://kv-evidence.vault.azure.net/keys/audit-key/0123456789abcdef0123456789abcdef';
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });

/** Signs as Key Vault does; the vault itself is in test/drift/evidence.slow.test.ts. */
function signerOf(key = privateKey): HeadSigner {
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
class Evidence {
  readonly container: ContainerClient = newContainer(azurite.connectionString);
  readonly heads = headStore(newContainer(azurite.connectionString));
  readonly log: object[] = [];
  now = new Date('2026-11-24T03:00:00Z');
  readonly record: RecordAudit;
  readonly watch: WatchServices;

  constructor(signer: HeadSigner = signerOf()) {
    this.record = newTrail(this.container, {
      now: () => this.now,
      onWritten: (_, { seq, hash }) => this.log.push({ reason: 'AuditWritten', receipt: `${seq}:${hash}` }),
    });
    this.watch = {
      trail: this.container.url,
      files: auditFiles(this.container),
      heads: this.heads,
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

  /** `verify` with the heads from the table of heads, or from an export of the log. */
  async verify(from: 'heads' | 'log', options: VerifyTrailOptions = {}): Promise<string[]> {
    const logged = readLogEvidence(this.log.map((line) => `2026-11-26T00:00:00Z ${JSON.stringify(line)}`).join('\n'));
    const heads = from === 'log' ? logged.heads : await this.heads.list();
    const checked = await checkHeads(heads, this.container.url, signerOf().publicKey);
    const report = await verifyTrail(auditFiles(this.container), {
      ...options,
      heads: checked.heads,
      allReceipts: from === 'log' ? logged.receipts : [],
    });
    return [...checked.findings, ...report.findings].map(
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

const DAYS = ['2026-11-24', '2026-11-25', '2026-11-26'] as const;
const [FIRST, SECOND, THIRD] = DAYS;
let trail: Evidence;
beforeEach(async () => {
  trail = new Evidence();
  await trail.write(DAYS);
});

describe('what somebody with every right on the container does to the trail is found', () => {
  it('nothing is found in one that is as it was written', async () => {
    expect(await trail.verify('heads')).toEqual([]);
    expect(await trail.verify('log')).toEqual([]);
    expect((await trail.heads.list()).map(({ day }) => day)).toEqual(DAYS);
  });

  it('records cut off at the end', async () => {
    await trail.put(THIRD, (await trail.lines(THIRD)).slice(0, 2));
    expect(await trail.verify('heads')).toEqual([`${THIRD}.jsonl HeadMissing`]);
    expect((await trail.verify('log')).sort()).toEqual([
      `${THIRD}.jsonl HeadMissing`,
      `${THIRD}.jsonl ReceiptMissing`,
      `${THIRD}.jsonl ReceiptMissing`,
    ]);
    expect(await trail.look()).toEqual([`${THIRD}.jsonl HeadMissing`]);
  });

  it('the last day gone, with the record that names it', async () => {
    await trail.container.deleteBlob(`${THIRD}.jsonl`);
    await trail.put(SECOND, (await trail.lines(SECOND)).slice(0, -1));
    expect(await trail.verify('heads')).toEqual([`${THIRD}.jsonl HeadMissing`]);
    expect(await trail.look()).toEqual([`${THIRD}.jsonl HeadMissing`]);
  });

  it('a day in the middle gone', async () => {
    await trail.container.deleteBlob(`${SECOND}.jsonl`);
    expect(await trail.verify('heads')).toEqual(
      expect.arrayContaining([`${SECOND}.jsonl HeadMissing`, `${THIRD}.jsonl:1 LineMissing`]),
    );
  });

  it('the whole trail gone', async () => {
    for (const day of DAYS) await trail.container.deleteBlob(`${day}.jsonl`);
    expect(await trail.verify('heads')).toEqual(DAYS.map((day) => `${day}.jsonl HeadMissing`));
    expect(await trail.look()).toEqual([`${THIRD}.jsonl HeadMissing`]);
  });

  it('a full rewrite with every hash right', async () => {
    await trail.rewrite(DAYS, (resource) => (resource === `${FIRST}/4` ? 'nothing happened' : resource));
    expect((await verifyTrail(auditFiles(trail.container))).findings).toEqual([]);
    expect(await trail.verify('heads')).toEqual([
      `${FIRST}.jsonl:4 HeadDiffers`,
      `${SECOND}.jsonl:4 HeadDiffers`,
      `${THIRD}.jsonl:4 HeadDiffers`,
    ]);
    expect(await trail.look()).toEqual([`${THIRD}.jsonl:4 HeadDiffers`]);
  });

  it('a forged record, appended as the app would', async () => {
    const last = parseRecord(Buffer.from((await trail.lines(THIRD)).at(-1) ?? ''));
    const forged = formatRecord(
      last ?? CHAIN_START,
      { entry: entry('restored by nobody') },
      { id: 'x', time: trail.now },
    );
    const blob = trail.container.getAppendBlobClient(`${THIRD}.jsonl`);
    await blob.appendBlock(forged.line, Buffer.byteLength(forged.line));
    await newTrail(trail.container, {
      now: () => trail.now,
      onWritten: (_, { seq, hash }) => trail.log.push({ reason: 'AuditWritten', receipt: `${seq}:${hash}` }),
    })(entry('after it'), LIMIT);
    // The chain is whole, and so no head can tell; the log has no receipt of it.
    expect(await trail.verify('heads')).toEqual([]);
    expect(await trail.verify('log')).toEqual([`${THIRD}.jsonl:5 RecordUnreceipted`]);
  });

  it('a forged record in the place of another', async () => {
    const lines = await trail.lines(SECOND);
    const [before, there] = [1, 2].map((index) => parseRecord(Buffer.from(lines[index] ?? '')));
    const made = formatRecord(
      before ?? CHAIN_START,
      { entry: entry('other') },
      { id: there?.id ?? '', time: trail.now },
    );
    await trail.put(SECOND, lines.with(2, made.line.slice(0, -1)));
    expect(await trail.verify('heads')).toEqual([`${SECOND}.jsonl:4 ChainBroken`]);
    expect(await trail.verify('log')).toEqual([`${SECOND}.jsonl:3 ReceiptDiffers`, `${SECOND}.jsonl:4 ChainBroken`]);
  });

  it('a fork: a second file that goes on from the same record', async () => {
    const end = parseRecord(Buffer.from((await trail.lines(SECOND)).at(-2) ?? ''));
    const forged = formatRecord(end ?? CHAIN_START, { entry: entry('another story') }, { id: 'x', time: trail.now });
    await trail.put(`${SECOND}.1`, [forged.line.slice(0, -1)]);
    expect(await trail.verify('heads')).toEqual(
      expect.arrayContaining([`${SECOND}.1.jsonl:1 LineMoved`, `${SECOND}.jsonl FileMissing`]),
    );
  });

  it('heads that were forged as well, by another key or by none', async () => {
    await trail.rewrite(DAYS, (resource) => (resource === `${FIRST}/4` ? 'nothing happened' : resource));
    const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
    const kept = await trail.heads.list();
    const heads: SignedHead[] = [];
    for (const head of kept) heads.push(await signerOf(other).sign(head));
    for (const wrong of [heads, heads.map((head) => ({ ...head, key: `${KEY.slice(0, -1)}0` }))]) {
      const { findings } = await checkHeads(wrong, trail.container.url, signerOf().publicKey);
      expect(findings.map(({ reason }) => reason)).toEqual(['HeadForged', 'HeadForged', 'HeadForged']);
    }
    const plain = kept.map(({ key: _, signature: __, ...head }) => head);
    const { findings } = await checkHeads(plain, trail.container.url, signerOf().publicKey);
    expect(findings.map(({ reason }) => reason)).toEqual(['HeadUnsigned', 'HeadUnsigned', 'HeadUnsigned']);
  });

  it('a head that was put in the place of the last one, to go with a trail that was rewritten', async () => {
    const last = (await trail.heads.list()).at(-1);
    if (!last) throw new Error('There is a head.');
    await trail.rewrite(DAYS, (resource) => (resource === `${FIRST}/4` ? 'nothing happened' : resource));
    const { hash = '' } = parseRecord(Buffer.from((await trail.lines(THIRD)).at(-1) ?? '')) ?? {};
    await trail.heads.keep({ ...last, hash });
    expect(await trail.look()).toEqual([`${THIRD}.jsonl HeadForged`]);
  });

  it('a head is bound to its trail and to every one of its fields', async () => {
    const [head] = await trail.heads.list();
    if (!head) throw new Error('There is a head.');
    const changes: Partial<SignedHead>[] = [
      { seq: head.seq - 1 },
      { hash: 'a'.repeat(64) },
      { day: '2026-11-23' },
      { signedOn: '2026-11-24T03:00:01.000Z' },
      { file: '2026-11-23.jsonl' },
    ];
    for (const change of changes) {
      const { findings } = await checkHeads([{ ...head, ...change }], head.trail, signerOf().publicKey);
      expect(findings.map(({ reason }) => reason)).toEqual(['HeadForged']);
    }
    const elsewhere = await checkHeads([head], 'https://other.blob.core.windows.net/cmk-audit', signerOf().publicKey);
    expect(elsewhere).toEqual({ heads: [], findings: [] });
  });
});

describe('the chain is not diverted', () => {
  const DIVERSIONS: [string, string, (end: ChainEnd) => string][] = [
    ['a blob with a date far ahead', '2099-01-01', () => formatted(CHAIN_START)],
    ['a blob with a date far ahead that goes on with the chain', '2099-01-01', (end) => formatted(end)],
    ['rubbish in the file of the next day', '2026-11-27', () => '{"note":"hello"}'],
    ['a chain of its own in the file of the next day', '2026-11-27', () => formatted(CHAIN_START)],
    ['a chain of its own in a second file of the day', '2026-11-26.1', () => formatted(CHAIN_START)],
  ];
  function formatted(end: ChainEnd): string {
    return formatRecord(end, { entry: entry('diverted') }, { id: 'x', time: new Date(0) }).line.slice(0, -1);
  }

  it.each(DIVERSIONS)('by %s', async (_, name, line) => {
    const last = parseRecord(Buffer.from((await trail.lines(THIRD)).at(-1) ?? ''));
    await trail.put(name, [line(last ?? CHAIN_START)]);
    // An instance that starts, and one that has been up all the time.
    const fresh = newTrail(trail.container, { now: () => trail.now });
    for (const record of [fresh, trail.record]) {
      expect(await record(entry('goes on'), LIMIT)).toMatchObject({ written: { file: `${THIRD}.jsonl` } });
    }
    expect((await trail.lines(THIRD)).length).toBe(6);
    trail.now = new Date('2026-11-27T03:00:00Z');
    const after = newTrail(trail.container, { now: () => trail.now });
    const outcome = await after(entry('the next day'), LIMIT);
    expect(outcome).toMatchObject({ written: { seq: (last?.seq ?? 0) + 4 } });
    const again = await newTrail(trail.container, { now: () => trail.now })(entry('and again'), LIMIT);
    expect(again).toMatchObject({ written: { seq: (last?.seq ?? 0) + 5 } });
    // What was put in is found, and nothing that the app wrote is.
    expect(await trail.verify('heads')).not.toEqual([]);
  });
});

describe('an export of the log', () => {
  it('is read whatever stands around its records, and however their quotes are written', () => {
    const record = JSON.stringify({ reason: 'AuditWritten', receipt: `7:${'a'.repeat(64)}` });
    const texts = [record, `x\t${record}\ty`, `"${record.replaceAll('"', '""')}",PT1S`, `${record}\r`];
    for (const text of texts) {
      expect(readLogEvidence(`head\n${text}\n{}\nnot json {\n`)).toEqual({
        receipts: [{ seq: 7, hash: 'a'.repeat(64) }],
        heads: [],
      });
    }
  });
});
