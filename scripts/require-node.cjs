const { existsSync } = require('node:fs');
const { join } = require('node:path');

// Read before anything that an older Node cannot read, and before packages that may not be there.
const isOld = !process.features.typescript;
if (isOld || !existsSync(join(__dirname, '../node_modules/commander'))) {
  const why = isOld
    ? `A clone needs Node 22.18 or newer, and this is ${process.version}.`
    : 'The packages of this clone are not installed.';
  console.error(
    `error: ${why}\nhint: Run \`npm ci\` once: it brings the right Node along, which npm's scripts then use.`,
  );
  process.exit(2);
}
