import { webcrypto, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import './reflect-metadata.ts'; // first, since the library looks for it while it loads
import * as x509 from '@peculiar/x509';
import { RECEIVER_HOST } from '../receiver.ts';

x509.cryptoProvider.set(webcrypto);

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
/** The host names of the local Azure: Azure's own, except the last. The leaf certificate has exactly these. */
export const AZURE_NAMES = [
  'management.azure.com',
  'login.microsoftonline.com',
  'graph.microsoft.com',
  'api.loganalytics.io',
  '*.vault.azure.net',
  '*.managedhsm.azure.net',
  '*.file.core.windows.net',
  '*.blob.core.windows.net',
  '*.queue.core.windows.net',
  '*.table.core.windows.net',
  RECEIVER_HOST,
];

export interface Certificates {
  /** Path of the CA certificate that clients have to trust, PEM. */
  readonly caPath: string;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

/**
 * The CA and the server certificate in `stateDir`. Created on the first call and reused, so that a client that loaded
 * the CA earlier can connect to a later run. Not for concurrent calls on one folder.
 */
export async function certificates(stateDir: string): Promise<Certificates> {
  const files = {
    ca: path.join(stateDir, 'ca.pem'),
    cert: path.join(stateDir, 'azure.pem'),
    key: path.join(stateDir, 'azure.key'),
  };

  // A certificate of an earlier release has fewer names.
  const isCurrent = existsSync(files.key) && namesEverything(await readFile(files.cert));
  if (!isCurrent) await make(stateDir, files);
  return {
    caPath: path.resolve(files.ca),
    cert: await readFile(files.cert, 'utf8'),
    key: await readFile(files.key, 'utf8'),
  };
}

function namesEverything(cert: Buffer): boolean {
  const names = new X509Certificate(cert).subjectAltName?.split(', ') ?? [];
  return AZURE_NAMES.every((name) => names.includes(`DNS:${name}`));
}

async function make(stateDir: string, files: { ca: string; cert: string; key: string }): Promise<void> {
  await mkdir(stateDir, { recursive: true });

  const notBefore = new Date(Date.now() - 86_400_000);
  const notAfter = new Date(Date.now() + 5 * 365 * 86_400_000);
  const caKeys = await newKeyPair();
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=cmk-autopilot local Azure CA',
    notBefore,
    notAfter,
    signingAlgorithm: algorithm,
    keys: caKeys,
    // Python 3.13 is strict: it requires both extensions, and that they are critical.
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });

  const keys = await newKeyPair();
  const leaf = await x509.X509CertificateGenerator.create({
    serialNumber: '02',
    subject: 'CN=management.azure.com',
    issuer: ca.subject,
    notBefore,
    notAfter,
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(AZURE_NAMES.map((value) => ({ type: 'dns', value }))),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(ca, false),
    ],
  });

  const privateKey = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));

  await writeFile(files.ca, `${ca.toString('pem')}\n`);
  await writeFile(files.cert, `${leaf.toString('pem')}\n`);

  // Write the key last, and atomically: its presence means that the other two files are complete.
  const pem = `-----BEGIN PRIVATE KEY-----\n${privateKey.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`;

  await writeFile(`${files.key}.new`, pem, { mode: 0o600 });
  await rename(`${files.key}.new`, files.key);
}

function newKeyPair(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}
