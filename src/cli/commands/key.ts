import { type Command, Option } from 'commander';
import type { WantedKey } from '../../operations/key/key-ensure.ts';
import { type Cli, seconds } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { changing, duration, expiry, inVault, number, parsed, watching } from '../options.ts';
import { readGiven, readGivenText } from '../read-given.ts';
import { addBreakGlassCommands } from './break-glass.ts';
import { addKeyList, addKeyShow } from './key-views.ts';
import { addRetire, addUnretire } from './retirement.ts';

interface EnsureArguments extends Pick<WantedKey, 'kty' | 'size'> {
  expires?: WantedKey['expiresOn'];
  rotationPolicy?: boolean;
  versionLifetime?: string;
  rotateAfter?: string;
  rotateBeforeExpiry?: string;
}

interface ImportArguments {
  file: string;
  passwordFile?: string;
  hsm?: boolean;
  expires?: WantedKey['expiresOn'];
}

export function addKeyCommands(program: Command, cli: Cli): void {
  const key = program
    .command('key')
    .description('keys and their versions')
    .summary('keys: list, show, ensure, import, rotate, revoke, restore, retire');
  addKeyList(key, cli);
  const named = (name: string): Command =>
    key
      .command(name)
      .argument('<key>', 'name, <vault>/<name>, or identifier https://<vault>.vault.azure.net/keys/<key>');
  const inOne = (name: string): Command => inVault(named(name), 'its vault');
  addEnsure(inOne('ensure'), cli);
  addImport(named('import').option('--vault <vault>', 'name, ARM id or URI of its vault or Managed HSM'), cli);
  addRotate(inOne('rotate'), cli);
  addKeyShow(watching(inOne('show')), cli);
  addBreakGlassCommands(key, cli);
  addRetire(inOne('retire'), cli);
  addUnretire(inOne('unretire'), cli);
}

function addEnsure(command: Command, cli: Cli): void {
  expiry(changing(command))
    .description('create an RSA key that Storage can use, or check an existing key')
    .addOption(new Option('--kty <type>', 'kind of a new key').choices(['RSA', 'RSA-HSM']))
    .addOption(new Option('--size <bits>', 'size of a new key: 2048, 3072 or 4096 (default: 2048)').argParser(number))
    .option('--no-rotation-policy', 'create a new key without a rotation policy')
    .option('--version-lifetime <duration>', 'rotation policy: lifetime of new versions (P2Y)', parsed(duration))
    .option('--rotate-after <duration>', 'rotation policy: age at which a version is rotated (P18M)', parsed(duration))
    .addOption(
      new Option(
        '--rotate-before-expiry <duration>',
        'rotation policy: time before expiry at which it is rotated (P30D)',
      )
        .argParser(parsed(duration))
        .conflicts('rotateAfter'),
    )
    .action(async (name: string, options: EnsureArguments) => {
      const { kty, size, expires: expiresOn, versionLifetime: expiresIn, rotateAfter, rotateBeforeExpiry } = options;
      const { ensureKey } = await import('../../operations/key/key-ensure.ts');
      const key = await cli.key(name, command);
      const none = options.rotationPolicy === false ? ('none' as const) : undefined;
      const asked = expiresIn || rotateAfter || rotateBeforeExpiry;
      const policy = asked ? { expiresIn, rotateAfter, rotateBeforeExpiry } : none;
      await cli.run(command, (operation) => ensureKey(key, { kty, size, expiresOn, policy }, operation));
    });
}

function addImport(command: Command, cli: Cli): void {
  expiry(changing(command))
    .description('import your own key material from PEM or PFX; a second file creates a new version')
    .requiredOption('--file <path>', 'PEM or PFX file with one RSA private key')
    .option('--password-file <path>', 'file with its password (or set CMK_KEY_PASSWORD)')
    .option('--hsm', 'import into hardware, in a premium vault')
    .action(async (name: string, { file, passwordFile, hsm: hardware = false, expires }: ImportArguments) => {
      const { importKey } = await import('../../operations/key/key-import.ts');
      const { readPrivateKey } = await import('../../operations/key/private-key.ts');
      await cli.run(command, async (operation) => {
        const expiresOn = expires === 'never' ? undefined : expires;
        const password = passwordFile
          ? (await readGivenText(passwordFile)).replace(/\r?\n$/, '')
          : cli.environment.CMK_KEY_PASSWORD;
        const material = readPrivateKey(await readGiven(file), password);
        const key = await cli.key(name, command);
        return importKey(key, material, { hardware, expiresOn }, operation);
      });
    });
}

function addRotate(command: Command, cli: Cli): void {
  changing(command)
    .description('create a new version; the app moves the accounts if it manages the vault')
    .addOption(
      new Option(
        '--if-older-than <duration>',
        'a newest version that is younger, and has not expired, counts as rotated; PT0S: rotate anyway',
      )
        .argParser(parsed(seconds))
        .default(3_600, 'PT1H'),
    )
    .addOption(
      new Option('--wait [duration]', 'wait until every known account uses it, at most this long')
        .argParser(parsed(seconds))
        .preset('PT30M'),
    )
    .action(async (name: string, { ifOlderThan, wait }: { ifOlderThan: number; wait?: number }) => {
      const { rotateKey } = await import('../../operations/key/key-rotate.ts');
      const key = await cli.key(name, command);
      const { awaitMoves } = await import('../../operations/key/await-moves.ts');
      await cli.run(
        command,
        async (operation) => {
          const rotated = await rotateKey(key, ifOlderThan, operation);
          if (wait === undefined || rotated.to === undefined) return rotated;
          return { ...rotated, moves: await awaitMoves(key, rotated.to, wait, cli.environment, operation) };
        },
        (result) =>
          'moves' in result && !(result.moves.complete && result.moves.waiting.length === 0)
            ? EXIT.incomplete
            : EXIT.ok,
      );
    });
}
