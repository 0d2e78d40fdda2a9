import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { importKey, readPrivateKey } from '../../../src/cli/procedures/key/key-import.ts';
import { rotateKey } from '../../../src/rotation/rotate-key.ts';
import { keyOf, texts, useProcedures } from '../../support/procedures.ts';

const procedures = useProcedures();
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const OPTIONS = { hardware: false, expiresOn: undefined };

function pem(key: KeyObject, password?: string, type: 'pkcs8' | 'pkcs1' = 'pkcs8'): Buffer {
  const cipher = password === undefined ? {} : { cipher: 'aes-256-cbc', passphrase: password };
  return Buffer.from(key.export({ type, format: 'pem', ...cipher }));
}

/** A PFX file as OpenSSL writes it. */
function pfx(password: string, args: readonly string[] = []): Buffer {
  const folder = mkdtempSync(path.join(tmpdir(), 'cmk-pfx-'));

  onTestFinished(() => rmSync(folder, { recursive: true }));

  const [keyFile, certFile, pfxFile] = ['key.pem', 'cert.pem', 'key.pfx'].map((name) => path.join(folder, name));
  if (!keyFile || !certFile || !pfxFile) throw new Error('no paths');

  writeFileSync(keyFile, pem(privateKey));

  execFileSync(
    'openssl',
    ['req', '-x509', '-new', '-key', keyFile, '-subj', '/CN=test', '-days', '1', '-out', certFile],
    { stdio: 'pipe' },
  );

  execFileSync(
    'openssl',
    ['pkcs12', '-export', '-inkey', keyFile, '-in', certFile, '-out', pfxFile, '-passout', `pass:${password}`, ...args],
    { stdio: 'pipe' },
  );

  return readFileSync(pfxFile);
}

describe('readPrivateKey', () => {
  const { n } = privateKey.export({ format: 'jwk' });

  it.each([
    ['PEM, PKCS #8', () => pem(privateKey), undefined],
    ['PEM, PKCS #8, encrypted', () => pem(privateKey, 'geheim'), 'geheim'],
    ['PEM, PKCS #1', () => pem(privateKey, undefined, 'pkcs1'), undefined],
    ['PEM, PKCS #1, encrypted', () => pem(privateKey, 'geheim', 'pkcs1'), 'geheim'],
    ['PFX, AES', () => pfx('geheim'), 'geheim'],
    [
      'PFX, 3DES, as older exports have it',
      () => pfx('geheim', ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1']),
      'geheim',
    ],
    ['PFX without a password', () => pfx(''), undefined],
  ])('key import reads %s', (_, file, password) => {
    const key = readPrivateKey(file(), password);
    expect(key.size).toBe(2048);
    expect(key.jwk.n).toBe(n);
  });

  it.each([
    ['an encrypted PEM without its password', () => pem(privateKey, 'geheim'), undefined, /no password was given/],
    ['an encrypted PEM with a wrong password', () => pem(privateKey, 'geheim'), 'falsch', /does not open the file/],
    ['an encrypted PFX without its password', () => pfx('geheim'), undefined, /no password was given/],
    ['a PFX with a wrong password', () => pfx('geheim'), 'falsch', /does not open the file/],
    [
      'a PEM without a private key',
      () => Buffer.from('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
      undefined,
      /no private key/,
    ],
    ['something else', () => Buffer.from('hello'), undefined, /neither PEM nor PFX/],
    [
      'an elliptic-curve key',
      () => pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
      undefined,
      /only RSA keys/,
    ],
  ])('key import rejects %s', (_, file, password, message) => {
    expect(() => readPrivateKey(file(), password)).toThrow(message);
  });
});

describe('key import', () => {
  it('key import imports a key, tagged as imported, and changes nothing the second time', async () => {
    const { vault } = procedures.site();
    const key = keyOf({ vault, key: 'byok' });
    const material = readPrivateKey(pem(privateKey), undefined);

    const first = await procedures.run((operation) => importKey(key, material, OPTIONS, operation));
    const second = await procedures.run((operation) => importKey(key, material, OPTIONS, operation));

    expect(texts(first, 'done')).toEqual([`key ${vault.name}/byok imported (RSA 2048)`]);

    const [version] = vault.keys.get('byok')?.versions ?? [];
    expect(version).toMatchObject({ imported: true, keySize: 2048, tags: { 'cmk-origin': 'imported' } });
    expect(version?.privateKey.export({ format: 'jwk' }).n).toBe(material.jwk.n);
    expect(second.changed).toBe(false);
    expect(second.result.version).toBe(first.result.version);
  });

  it('key import imports other material as a new version, which keeps the tags', async () => {
    const site = procedures.site({ key: { tags: { owner: 'files' } } });
    procedures.local.clock.advance(1_000);
    const report = await procedures.run((operation) =>
      importKey(keyOf(site), readPrivateKey(pem(privateKey), undefined), OPTIONS, operation),
    );
    expect(texts(report, 'done')[0]).toContain('new version of key');
    expect(site.vault.keys.get(site.key)?.versions.at(-1)?.tags).toEqual({ owner: 'files', 'cmk-origin': 'imported' });
  });

  it('key import prevents a rotation of imported material', async () => {
    const { vault } = procedures.site();
    const key = keyOf({ vault, key: 'byok' });
    await procedures.run((operation) => importKey(key, readPrivateKey(pem(privateKey), undefined), OPTIONS, operation));
    const refusal = await procedures.refusal((operation) => rotateKey(key, 0, operation));
    expect(refusal.reason).toBe('ImportedKey');
    expect(refusal.nextStep).toContain('cmk key import');
  });
});
