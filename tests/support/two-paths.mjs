// Two peers in network namespaces of their own with two paths between them. The one in use is cut under an open link;
// prints what became of it as one line of JSON. Run within a namespace of users, networks and mounts:
// `unshare --map-root-user --net --mount node two-paths.mjs <folder of the built links>`.
import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const PEER = `
  const { createInterface } = await import('node:readline');
  const [links, self, other, offers] = process.argv.slice(1);
  const { loadNodeRtc } = await import(links + 'node-rtc.js');
  const { RtcConnector } = await import(links + 'rtc-connector.js');
  const say = (line) => console.log(JSON.stringify(line));
  const connector = new RtcConnector({
    rtc: await loadNodeRtc('wrtc'),
    selfId: () => self,
    handler: {
      send: (to, data) => say({ signal: data }),
      failed: (peerId, { message }) => say({ ended: message }),
      link: (peerId, link) => {
        let heardMs = Date.now();
        link.start({
          frame: () => {
            const silentMs = Date.now() - heardMs;
            heardMs += silentMs;
            if (silentMs > 2_000) say({ silentMs });
          },
          drain() {},
          closed: (reason) => say({ ended: reason }),
        });
        setInterval(() => link.send(Uint8Array.of(1), 'control'), 100);
        say({ open: true });
      },
    },
  });
  createInterface({ input: process.stdin }).on('line', (line) => connector.signal(other, JSON.parse(line)));
  if (offers === 'offers') connector.connect(other);
`;

const ip = (...args) => execFileSync('ip', args);
const links = process.argv[2];
execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
for (const name of ['a', 'b']) ip('netns', 'add', name);
for (const path of [1, 2]) {
  ip('link', 'add', `a${path}`, 'type', 'veth', 'peer', 'name', `b${path}`);
  for (const [host, name] of ['a', 'b'].entries()) {
    ip('link', 'set', `${name}${path}`, 'netns', name);
    ip('-n', name, 'addr', 'add', `10.9.${path}.${host + 1}/24`, 'dev', `${name}${path}`);
    ip('-n', name, 'link', 'set', `${name}${path}`, 'up');
  }
}
for (const name of ['a', 'b']) {
  // Else an address of one path is reached over the other, and a cut would leave such a pair half alive.
  const strictly = 'echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter';
  ip('netns', 'exec', name, 'sh', '-c', strictly);
  ip('-n', name, 'link', 'set', 'lo', 'up');
  ip('-n', name, 'route', 'add', 'default', 'dev', `${name}1`);
}

const report = { offers: 0, silentMs: [], ended: [] };
let open = 0;
const peers = {};
for (const [name, other] of [
  ['a', 'b'],
  ['b', 'a'],
]) {
  const id = (each) => each.repeat(22);
  const offers = name === 'a' ? 'offers' : 'waits';
  const child = ['--input-type=module', '--eval', PEER, '--', links, id(name), id(other), offers];
  const peer = spawn('ip', ['netns', 'exec', name, process.execPath, ...child], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  peers[name] = peer;
  createInterface({ input: peer.stdout }).on('line', (line) => {
    const { signal, silentMs, ended, open: isOpen } = JSON.parse(line);
    if (signal !== undefined) {
      report.offers += signal.filter(({ description }) => description?.type === 'offer').length;
      peers[other].stdin.write(`${JSON.stringify(signal)}\n`);
    }
    if (silentMs !== undefined) report.silentMs.push(silentMs);
    if (ended !== undefined) report.ended.push(ended);
    if (isOpen && ++open === 2) setTimeout(cutPathInUse, 1_000);
  });
}

/** What a path has carried away from `a` so far, in bytes. */
function sentOver(path) {
  const [link] = JSON.parse(
    execFileSync('ip', ['-n', 'a', '-s', '-j', 'link', 'show', `a${path}`], { encoding: 'utf8' }),
  );
  return link.stats64.tx.bytes;
}

/** The link has taken one of the two, most often the first: the one over which its frames go. */
function cutPathInUse() {
  const before = [1, 2].map(sentOver);
  setTimeout(() => {
    const [first, second] = [1, 2].map((path, i) => sentOver(path) - before[i]);
    cut(first >= second ? 1 : 2);
  }, 1_000);
}

/** What is sent over the path reaches nobody from here on; the machines' way to the world is the other one. */
function cut(path) {
  for (const [host, name] of ['a', 'b'].entries()) {
    ip('-n', name, 'route', 'replace', 'default', 'dev', `${name}${3 - path}`);
    const other = `10.9.${path}.${2 - host}`;
    const nobody = ['lladdr', '02:00:00:00:00:99', 'nud', 'permanent'];
    ip('-n', name, 'neigh', 'replace', other, 'dev', `${name}${path}`, ...nobody);
  }
  setTimeout(() => {
    console.log(JSON.stringify(report));
    for (const peer of Object.values(peers)) peer.kill('SIGKILL');
  }, 18_000);
}
