import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Bicep files that are deployed, and where the compiled template is committed (for the deploy button and the tests). */
export const TEMPLATES = [
  { source: 'infra/main.bicep', compiled: 'infra/azuredeploy.json' },
  { source: 'infra/events.bicep', compiled: 'infra/compiled/events.json' },
  { source: 'infra/rights.bicep', compiled: 'infra/compiled/rights.json' },
  { source: 'infra/demo.bicep', compiled: 'infra/compiled/demo.json' },
  { source: 'infra/policy.bicep', compiled: 'infra/compiled/policy.json' },
  // Updates the package of an app that runs, and nothing else.
  { source: 'infra/modules/package.bicep', compiled: 'infra/compiled/update.json' },
] as const;

/**
 * Parameter files beside main.bicepparam, by the value of CMK_PROFILE that takes them, and what each comes to in an example
 * environment, committed for the tests.
 */
export const PROFILES = {
  bank: {
    source: 'infra/main.bank.bicepparam',
    compiled: 'infra/compiled/bank.parameters.json',
  },
  'landing-zone': {
    source: 'infra/main.landing-zone.bicepparam',
    compiled: 'infra/compiled/landing-zone.parameters.json',
  },
} as const;

/** Every Bicep file and parameter file below `infra/`, relative to `root`. */
export function bicepFiles(root: string): string[] {
  return readdirSync(join(root, 'infra'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.bicep') || name.endsWith('.bicepparam'))
    .map((name) => join('infra', name))
    .sort();
}
