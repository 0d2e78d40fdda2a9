import { expect, it } from 'vitest';
import { keyOf, useProcedures } from '../support/procedures.ts';

const procedures = useProcedures();

it('the size of an RSA key does not depend on a leading zero of its modulus', async () => {
  const site = procedures.site();
  const key = keyOf(site);
  const { keyAdmin } = procedures.azure();
  const known = await keyAdmin.describe(key);
  const n = Buffer.concat([Buffer.of(0), Buffer.from(known?.modulus ?? '', 'base64url')]).toString('base64url');
  const body = { key: { kid: `${key.id}/${site.version.version}`, kty: 'RSA', n, e: 'AQAB' }, attributes: {} };

  procedures.local.faults.add([{ match: { path: `^/keys/${key.name}/` }, answer: { status: 200, body } }]);

  const same = { type: 'RSA', size: 2048, modulus: known?.modulus };
  expect(await keyAdmin.describe(key)).toMatchObject(same);
  expect(await keyAdmin.material(key, site.version.version)).toMatchObject(same);
});
