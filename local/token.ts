import { join } from 'node:path';
import { readEnvFile } from './run/env-file.ts';
import { requestToken, TokenError } from './run/token.ts';

// npm run --silent token -- revoker
// npm run --silent token -- operator --claims-challenge <base64>
const [signIn, option, claims, ...more] = process.argv.slice(2);

async function main(): Promise<string> {
  const isAsked = option === undefined || (option === '--claims-challenge' && claims !== undefined);
  if (signIn === undefined || signIn.startsWith('-') || !isAsked || more.length > 0) {
    throw new TokenError(
      'Usage: npm run --silent token -- <revoker|restorer|operator|second-operator|outsider|robot> [--claims-challenge <base64>]',
    );
  }

  const envFile = join(process.env.LOCAL_DIR ?? '.local', 'env');
  const env = await readEnvFile(envFile).catch((cause: unknown) => {
    throw new TokenError(`There is no ${envFile}: no local run is up. Start one: npm start -- --no-tour`, { cause });
  });
  const { LOCAL_AZURE_CONTROL: control } = env;
  if (!control) throw new TokenError(`${envFile} has no LOCAL_AZURE_CONTROL. Start the local run anew: npm start`);

  return requestToken(control, signIn, claims);
}

try {
  console.log(await main());
} catch (error) {
  if (!(error instanceof TokenError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
