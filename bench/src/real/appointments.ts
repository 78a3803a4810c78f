import { seededRandom } from '@sonantica/swarm/testing';
import { badPeersOf, type PeerKind, type Scenario, type Span } from '../scenario.ts';
import type { Appointment } from './messages.ts';

const LINES_SEED = 1_000_003;
/** Peers that only seem to help are there this long before the first listener, in milliseconds. */
const BAD_FIRST_MS = 5_000;

/** Who comes when, and with what line: the same draws as in the simulation. */
export function appointmentsOf(scenario: Scenario): Appointment[] {
  const { seed, peers, peerUpKbps, peerDownKbps, rttMs, aulas, joinSpreadS, warmS } = scenario;
  const random = seededRandom(seed + LINES_SEED);
  const draw = ({ least, most }: Span) => (least === most ? least : least + (most - least) * random.next());
  const bad = badPeersOf(scenario);
  const players = peers - bad.length;
  const shapeOf = (index: number, kind: PeerKind) => {
    const upKbps = kind === 'slow' ? peerUpKbps.least : draw(peerUpKbps);
    const [downKbps, rtt] = [draw(peerDownKbps), draw(rttMs)];
    return { name: `${kind}-${index}`, index, kind, aula: index % aulas, upKbps, downKbps, rttMs: rtt };
  };
  const firstMs = bad.length > 0 ? BAD_FIRST_MS : 0;
  return [
    ...bad.map((kind, i) => ({ shape: shapeOf(i, kind), joinsAtMs: 0, opensAtMs: undefined })),
    ...Array.from({ length: players }, (_, i) => {
      const joinsAtMs = firstMs + (players === 1 ? 0 : (joinSpreadS * 1000 * i) / players);
      return {
        shape: shapeOf(bad.length + i, 'honest'),
        joinsAtMs,
        opensAtMs: joinsAtMs + warmS * 1000,
      };
    }),
  ];
}
