// Before the tests: what they need beyond npm. Installs Chromium as root on Debian; elsewhere says what is missing.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

if (process.env.SONANTICA_CHROMIUM === undefined && !CHROMIUM.some((path) => existsSync(path))) {
  const mayInstall = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
  if (!mayInstall) {
    console.warn(
      'Chromium is not installed: tests in a browser are skipped. On Debian: apt-get install chromium',
    );
  } else {
    console.log('Installing Chromium for the tests in a browser.');
    const apt = (...args) =>
      execFileSync('apt-get', ['-qq', ...args], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      });
    try {
      apt('update');
      apt('install', '-y', '--no-install-recommends', 'chromium');
    } catch (error) {
      console.warn(
        `Chromium could not be installed: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}
