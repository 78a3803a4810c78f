// Before the tests: what they need beyond npm. Installs it as root on Debian; elsewhere says what is missing.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const TOOLS = [
  {
    name: 'Chromium',
    debian: 'chromium',
    paths: ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
    given: process.env.SONANTICA_CHROMIUM !== undefined,
    without: 'tests in a browser are skipped',
  },
  {
    name: 'coturn',
    debian: 'coturn',
    paths: ['/usr/bin/turnserver'],
    given: false,
    without: 'tests of relays are skipped',
  },
];

const missing = TOOLS.filter(({ paths, given }) => !given && !paths.some((path) => existsSync(path)));
if (missing.length > 0) {
  const packages = missing.map(({ debian }) => debian);
  const mayInstall = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
  if (!mayInstall) {
    for (const { name, without } of missing) console.warn(`${name} is not installed: ${without}.`);
    console.warn(`On Debian: apt-get install ${packages.join(' ')}`);
  } else {
    console.log(`Installing for the tests: ${packages.join(', ')}.`);
    const apt = (...args) =>
      execFileSync('apt-get', ['-qq', ...args], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      });
    try {
      apt('update');
      apt('install', '-y', '--no-install-recommends', ...packages);
    } catch (error) {
      console.warn(`They could not be installed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
