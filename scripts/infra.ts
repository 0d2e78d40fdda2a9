/**
 * Lints every Bicep file, compiles the templates and makes `key-users.json` of the table of key users.
 *
 *   npm run infra             lint, compile, write the committed templates
 *   npm run infra -- --check  lint, compile, fail when a committed template is stale
 *
 * Every rule of the linter is on and an error here, in a copy of `infra/` beside `scripts/infra/bicepconfig.jsonc`. Where the
 * templates themselves stand there is none: azd brings a compiler of its own, often older, and must not stop at a rule that
 * it knows otherwise.
 */
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { BICEP_VERSION, findBicep } from './infra/find-bicep.ts';
import { KEY_USERS, renderKeyUsers } from './infra/key-users.ts';
import type { Answer } from './infra/run.ts';
import { bicepFiles, PROFILES, TEMPLATES } from './infra/templates.ts';
import { TERRAFORM_VARIABLES, terraformVariables } from './infra/terraform.ts';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const root = join(import.meta.dirname, '..');
const bicep = findBicep(root);
console.log(`bicep ${bicep.version} (${bicep.from})`);
const pinned = bicep.version === BICEP_VERSION;

let failures = 0;
const fail = (message: string): void => {
  failures++;
  console.error(message.trimEnd());
};

// Before the copy, because the templates load it.
keep(KEY_USERS, renderKeyUsers());

const strict = mkdtempSync(join(tmpdir(), 'cmk-bicep-'));
cpSync(join(root, 'infra'), join(strict, 'infra'), { recursive: true });
copyFileSync(join(root, 'scripts/infra/bicepconfig.jsonc'), join(strict, 'bicepconfig.json'));
process.on('exit', () => rmSync(strict, { recursive: true, force: true }));

// A clean file says nothing on stderr: a warning is as bad as an error here.
const clean = (file: string, answer: Answer): boolean => {
  const ok = answer.status === 0 && answer.stderr.trim() === '';
  if (ok) console.log(`ok ${file}`);
  else fail(`${file}:\n${(answer.stderr || answer.stdout).replaceAll(`${strict}/`, '')}`);
  return ok;
};

// Building a template lints it too; what is no template of its own is only linted.
for (const file of bicepFiles(root)) {
  const template = TEMPLATES.find(({ source }) => source === file);
  if (!template) {
    const parameters = file.endsWith('.bicepparam');
    const answer = bicep.run(
      parameters ? ['build-params', join(strict, file), '--stdout'] : ['lint', join(strict, file)],
    );
    const profile = Object.values(PROFILES).find(({ source }) => source === file);
    if (clean(file, answer) && pinned && profile) {
      const { parametersJson } = JSON.parse(answer.stdout) as { parametersJson: string };
      keep(profile.compiled, `${parametersJson.trimEnd()}\n`);
    }
    continue;
  }
  const answer = bicep.run(['build', join(strict, file), '--stdout']);
  if (!clean(file, answer)) continue;
  if (!pinned) {
    console.log(`${template.compiled} not compared: it is built with bicep ${BICEP_VERSION}, this is ${bicep.version}`);
    continue;
  }
  keep(template.compiled, `${answer.stdout.trimEnd()}\n`);
  if (file === 'infra/main.bicep') keep(TERRAFORM_VARIABLES, terraformVariables(JSON.parse(answer.stdout)));
}

/** Writes what was made of the templates or of the table of key users, or compares it with what is committed. */
function keep(path: string, text: string): void {
  const target = join(root, path);
  if (existsSync(target) && readFileSync(target, 'utf8') === text) return;
  if (values.check) {
    fail(`${path} is stale. Run "npm run infra" and commit it.`);
    return;
  }
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
  console.log(`wrote ${path}`);
}

if (failures > 0) {
  console.error(`${failures} failed`);
  process.exitCode = 1;
}
