import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stateFolder } from './state-folder.ts';

const home = join('/home', 'ana');

it.each<[NodeJS.Platform, Record<string, string>, string]>([
  ['linux', {}, join(home, '.local', 'state', 'sonantica')],
  ['linux', { XDG_STATE_HOME: '/var/state' }, join('/var/state', 'sonantica')],
  ['linux', { XDG_STATE_HOME: 'state' }, join(home, '.local', 'state', 'sonantica')],
  ['linux', { XDG_STATE_HOME: '' }, join(home, '.local', 'state', 'sonantica')],
  ['darwin', {}, join(home, 'Library', 'Application Support', 'sonantica')],
  ['win32', {}, join(home, 'AppData', 'Local', 'sonantica')],
  ['win32', { LOCALAPPDATA: '/local' }, join('/local', 'sonantica')],
])('lies where a user of %s with %j looks for it', (platform, environment, folder) => {
  expect(stateFolder(environment, platform, home)).toBe(folder);
});
