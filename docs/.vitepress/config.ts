import { copyFileSync, globSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { defineConfig } from 'vitepress';
import { anchor } from '../../scripts/docs/anchor.ts';

const link = (text: string, path: string) => ({ text, link: `/docs/${path}` });
/** Linked from pages, and no pages themselves. */
const FILES = [
  'docs/reference/api.http',
  'docs/reference/drift-report.schema.json',
  'LICENSE',
  ...globSync('examples/**/*.{csv,kql,tf,ts,yml}', { cwd: join(import.meta.dirname, '../..') }),
];

// The site is made of the repository's own Markdown, in its own folders, so that links are right on GitHub and here.
export default defineConfig({
  title: 'cmk-autopilot',
  description: 'Looks after the customer-managed keys of Azure storage accounts.',
  // Where GitHub Pages serves a repository; `/` on a machine of one's own.
  base: process.env.DOCS_BASE ?? '/',
  srcDir: '..',
  srcExclude: ['.github/**', '.local/**', 'dist/**', 'infra/**', 'src/**', 'test/**', 'page/**', 'bench/**'],
  rewrites: {
    'README.md': 'index.md',
    'docs/decisions/README.md': 'docs/decisions/index.md',
    'examples/README.md': 'examples/index.md',
  },
  outDir: '../dist/site',
  cacheDir: '../.local/vitepress',
  cleanUrls: true,
  // Files that are no pages: VitePress takes their endings for those of pages.
  ignoreDeadLinks: [/\/api\.http$/, /\.(?:csv|kql|tf|ts|yml)$/],
  // WCAG 2.2 AA: the theme's grey for the language of a block is too faint, and the search button has a text that its name lacks.
  head: [
    [
      'style',
      {},
      'html:root { --vp-code-lang-color: var(--vp-c-text-2); } .DocSearch-Button-Keys { display: none !important; }',
    ],
  ],
  markdown: {
    anchor: { slugify: anchor },
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
  },
  buildEnd({ srcDir, outDir }) {
    for (const file of FILES) {
      mkdirSync(dirname(join(outDir, file)), { recursive: true });
      copyFileSync(join(srcDir, file), join(outDir, file));
    }
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Incident', link: '/docs/how-to/incident' },
      { text: 'Documentation', link: '/docs/' },
      { text: 'Changes', link: '/CHANGELOG' },
    ],
    sidebar: [
      {
        text: 'Tutorials',
        items: [link('The local tour', 'tutorial/local-tour'), link('A first deployment', 'tutorial/first-deployment')],
      },
      {
        text: 'How-to',
        items: [
          link('An incident at night', 'how-to/incident'),
          link('A leaked key', 'how-to/leaked-key'),
          link('The morning round', 'how-to/morning-round'),
          link('Large rotations', 'how-to/large-rotations'),
          link('Onboard many accounts', 'how-to/onboard-accounts'),
          link("Microsoft's article beside az", 'how-to/beside-az'),
          link('Managed HSM', 'how-to/managed-hsm'),
          link('Prove it on real Azure', 'how-to/prove'),
          link('Deploy with azd', 'how-to/deploy-azd'),
          link('Other ways to deploy', 'how-to/deploy-other-ways'),
          link('Private networks', 'how-to/private-networks'),
          link('Landing zones', 'how-to/landing-zone'),
          link('Access and approval', 'how-to/access'),
          link('Notifications', 'how-to/notifications'),
          link('The audit trail', 'how-to/audit'),
          link('Upgrade', 'how-to/upgrade'),
          link('Uninstall', 'how-to/uninstall'),
          link('Troubleshooting', 'how-to/troubleshooting'),
        ],
      },
      {
        text: 'Reference',
        items: [
          link('Settings', 'reference/settings'),
          link('Command line', 'reference/command-line'),
          link('API', 'reference/api'),
          link('Reason codes', 'reference/reason-codes'),
          link('Drift checks', 'reference/drift-checks'),
          link('Rights and cost', 'reference/rights-and-cost'),
          link('Metrics, traces and logs', 'reference/metrics'),
          link('The local Azure', 'reference/local-azure'),
        ],
      },
      {
        text: 'Explanation',
        items: [
          link('Questions that users ask', 'explanation/faq'),
          link('Compared with other ways', 'explanation/comparison'),
          link('How it works', 'explanation/how-it-works'),
          link('Revocation and restore', 'explanation/revocation'),
          link('Scale', 'explanation/scale'),
          link('Security model and threats', 'explanation/security-model'),
          link("The app's storage", 'explanation/trust'),
          link('Architecture', 'explanation/architecture'),
          link('Decisions', 'decisions/'),
        ],
      },
    ],
  },
});
