import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { makeFolder } from './support/place.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const PACKAGES = ['packages/wire', 'packages/swarm', 'packages/origin', 'tracker'] as const;

const publint = toolPath('publint', 'publint');
const attw = toolPath('@arethetypeswrong/cli', 'attw');
const oxlint = toolPath('oxlint', 'oxlint');

describe.each(PACKAGES)('%s as it is published', { timeout: 60_000 }, (folder) => {
  it.skipIf(publint === undefined)(
    'pleases publint --strict (npm install -D publint if skipped)',
    async () => {
      const { status, output } = await runTool(publint, ['--strict', '--pack', 'npm', join(ROOT, folder)]);
      expect(output).toContain('All good!');
      expect(status).toBe(0);
    },
  );

  it.skipIf(attw === undefined)(
    'gives its types to ESM (npm install -D @arethetypeswrong/cli if skipped)',
    async () => {
      const tarball = await pack(folder);
      const { status, output } = await runTool(attw, ['--profile', 'esm-only', '--no-emoji', tarball]);
      expect(output).toContain('OK (ESM)');
      expect({ status, output }).toMatchObject({ status: 0 });
    },
  );

  it('carries its licence, what it promises to contain, and no tests or build leftovers', async () => {
    const files = await packedFiles(folder);
    const { exports = {}, bin = {} } = JSON.parse(
      await readFile(join(ROOT, folder, 'package.json'), 'utf8'),
    ) as {
      exports?: Record<string, Record<string, string>>;
      bin?: Record<string, string>;
    };
    const promised = [
      ...Object.values(exports).flatMap((entry) => Object.values(entry)),
      ...Object.values(bin),
    ];
    const wanted = ['LICENSE', 'package.json', ...promised.map((path) => path.replace(/^\.\//, ''))];
    expect(wanted.filter((path) => !files.includes(path))).toEqual([]);
    expect(files.filter((path) => /\.test\.|\.tsbuildinfo$|node_modules/.test(path))).toEqual([]);
  });
});

describe.skipIf(oxlint === undefined)('the import rules (npm install -D oxlint if skipped)', () => {
  const FORBIDDEN: readonly (readonly [string, string, string, string])[] = [
    ['the swarm’s core', 'packages/swarm/src/core', "import { readFile } from 'node:fs';", 'readFile'],
    [
      'the swarm’s core',
      'packages/swarm/src/core',
      "import { createSwarm } from '../swarm.ts';",
      'createSwarm',
    ],
    ['the swarm’s core', 'packages/swarm/src/core', 'const now = Date.now();', 'now'],
    ['the swarm’s core', 'packages/swarm/src/core', 'const now = performance.now();', 'now'],
    ['the swarm’s core', 'packages/swarm/src/core', 'const luck = Math.random();', 'luck'],
    ['the swarm’s core', 'packages/swarm/src/core', 'const timer = setTimeout(() => 0, 1);', 'timer'],
    ['the swarm’s core', 'packages/swarm/src/core', "const body = fetch('/');", 'body'],
    ['the tracker’s core', 'tracker/src/core', "import { WebSocket } from 'ws';", 'WebSocket'],
    ['the tracker’s core', 'tracker/src/core', "import { readFile } from 'node:fs';", 'readFile'],
    ['wire', 'packages/wire/src', "import { readFile } from 'node:fs';", 'readFile'],
    ['wire', 'packages/wire/src', "import { createSwarm } from '@sonantica/swarm';", 'createSwarm'],
    ['sources', 'packages/swarm/src/sources', "import { RtcLink } from '../links/rtc-link.ts';", 'RtcLink'],
    [
      'links',
      'packages/swarm/src/links',
      "import { openMemoryStore } from '../store/memory-store.ts';",
      'openMemoryStore',
    ],
    ['the store', 'packages/swarm/src/store', "import { RtcLink } from '../links/rtc-link.ts';", 'RtcLink'],
    ['the origin', 'packages/origin/src', "import { createSwarm } from '@sonantica/swarm';", 'createSwarm'],
    ['the tracker', 'tracker/src', "import { startOrigin } from '@sonantica/origin';", 'startOrigin'],
    ['a test', 'tests', "import { RtcLink } from '../packages/swarm/src/links/rtc-link.ts';", 'RtcLink'],
  ];

  it.each(FORBIDDEN)('lint refuses in %s (%s): %s', async (_name, folder, line, used) => {
    const { status, output } = await lint(folder, { 'probe.ts': `${line}\nexport const kept = ${used};\n` });
    expect(output).toMatch(/no-restricted-(imports|globals|properties)/);
    expect(status).toBe(1);
  });

  it('lint refuses imports in a circle', async () => {
    const { status, output } = await lint('packages/swarm/src', {
      'a.ts': "import { b } from './b.ts';\nexport const a = () => b;\n",
      'b.ts': "import { a } from './a.ts';\nexport const b = () => a;\n",
    });
    expect(output).toContain('no-cycle');
    expect(status).toBe(1);
  });

  it.each([...new Set(FORBIDDEN.map(([, folder]) => folder))])(
    'lint lets a file of %s be that imports only what it may',
    async (folder) => {
      const { status, output } = await lint(folder, {
        'probe.ts': "import { beside } from './beside.ts';\nexport const kept = beside;\n",
        'beside.ts': 'export const beside = 1;\n',
      });
      expect({ status, output }).toMatchObject({ status: 0 });
    },
  );
});

/** Where a development tool's script lies; under CI a missing one is an error. */
function toolPath(packageName: string, bin: string): string | undefined {
  const require = createRequire(import.meta.url);
  try {
    const folder = join(ROOT, 'node_modules', packageName);
    const manifest = require(join(folder, 'package.json')) as { bin: string | Record<string, string> };
    const script = typeof manifest.bin === 'string' ? manifest.bin : manifest.bin[bin];
    if (script === undefined) throw new Error(`${packageName} has no command ${bin}`);
    return join(folder, script);
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    return undefined;
  }
}

function runTool(
  script = '',
  args: readonly string[] = [],
  cwd = ROOT,
): Promise<{ status: number; output: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' };
    execFile(process.execPath, [script, ...args], { cwd, env }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), output: `${stdout}${stderr}` });
    });
  });
}

/** A package as npm would upload it, without running its scripts. */
async function pack(folder: string): Promise<string> {
  const target = await makeFolder();
  const output = await npm([
    'pack',
    '--ignore-scripts',
    '--json',
    '--pack-destination',
    target,
    join(ROOT, folder),
  ]);
  return join(target, packResult(output).filename);
}

async function packedFiles(folder: string): Promise<string[]> {
  const output = await npm(['pack', '--ignore-scripts', '--json', '--dry-run', join(ROOT, folder)]);
  return packResult(output).files.map(({ path }) => path);
}

interface PackResult {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

function packResult(output: string): PackResult {
  const [result] = Object.values(JSON.parse(output) as Record<string, PackResult>);
  if (result === undefined) throw new Error('npm packed nothing');
  return result;
}

function npm(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('npm', args, { cwd: ROOT, maxBuffer: 16_777_216 }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(error);
    });
  });
}

/** Lints files as if they lay in `folder` of the workspace: in a copy of its layout, under its rules. */
async function lint(
  folder: string,
  files: Record<string, string>,
): Promise<{ status: number; output: string }> {
  const root = await makeFolder();
  await copyFile(join(ROOT, '.oxlintrc.json'), join(root, '.oxlintrc.json'));
  await mkdir(join(root, folder), { recursive: true });
  for (const [name, code] of Object.entries(files)) await writeFile(join(root, folder, name), code);
  return runTool(oxlint, ['.'], root);
}
