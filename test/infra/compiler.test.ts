import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BICEP_VERSION } from '../../scripts/infra/find-bicep.ts';
import { TEMPLATES } from '../../scripts/infra/templates.ts';

const root = join(import.meta.dirname, '../..');

describe('the Bicep compiler', () => {
  it('The Bicep compiler has one version: in the project that fetches it, in the script, and in the committed templates', () => {
    expect(readFileSync(join(root, 'scripts/infra/bicep.csproj'), 'utf8')).toContain(`<BicepVersion>${BICEP_VERSION}<`);
    for (const { compiled } of TEMPLATES) {
      const { metadata } = JSON.parse(readFileSync(join(root, compiled), 'utf8'));
      expect(metadata._generator.version, compiled).toMatch(new RegExp(`^${BICEP_VERSION}\\.`));
    }
  });

  it('The Bicep compiler is strict in CI, and lenient where azd compiles with an older one', () => {
    expect(existsSync(join(root, 'infra/bicepconfig.json'))).toBe(false);
    const { analyzers } = JSON.parse(
      readFileSync(join(root, 'scripts/infra/bicepconfig.jsonc'), 'utf8').replaceAll(/^\s*\/\/.*$/gm, ''),
    );
    const levels = Object.values(analyzers.core.rules).map((rule) => (rule as { level: string }).level);
    expect(levels.filter((level) => level === 'error').length).toBeGreaterThan(30);
  });
});

it('the committed templates use no version of Key Vault that retires (those before 2026-02-01 in February 2027)', () => {
  const used = TEMPLATES.flatMap(({ compiled }) => [
    ...readFileSync(join(root, compiled), 'utf8').matchAll(
      /"type": "(Microsoft\.KeyVault\/[^"]+)",\s*"apiVersion": "([^"]+)"/g,
    ),
  ]);
  expect(used.length).toBeGreaterThan(3);
  expect(used.filter(([, , version = '']) => version < '2026-02-01').map(([, type]) => type)).toEqual([]);
});
