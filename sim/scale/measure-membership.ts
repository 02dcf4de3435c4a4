/** What the membership costs with so many nodes: signs of life, and what is said to agree on a death. */
import { createDetector, declareDead, DETECTION, membersOf, RegisterStore, stepDetector, type View } from '../../src/hotplug/index.ts';
import { pack } from '../../src/rpc/index.ts';
import { Machines } from '../machines.ts';
import { firstView } from '../member.ts';
import { Random } from '../random.ts';

export interface MembershipCosts {
  readonly nodes: number;
  /** Of one node: signs of life that it sends in a second, their bytes without those of the link, and what handling one takes. */
  readonly signs: { readonly perSecond: number; readonly bytesPerSecond: number; readonly microseconds: number };
  /** From a crash until the first node takes it for a death. */
  readonly detectionMilliseconds: { readonly least: number; readonly most: number };
  /** From there until the death is agreed on, and has been said to all. */
  readonly agreement: { readonly milliseconds: number; readonly messages: number; readonly bytes: number };
}

/** Of so many nodes the detectors are there; the others are seen by their signs, which are all the same. */
const WATCHED = 10;
const CRASHES = 4;
/** On its way, a sign takes at most that long. */
const WAY_MS = 3;

function measureDetection(nodes: number): Pick<MembershipCosts, 'signs' | 'detectionMilliseconds'> {
  const random = new Random(1, 'detection', nodes);
  const members = Array.from({ length: nodes }, (_, index) => index + 1);
  const watched = members.slice(0, Math.min(WATCHED, nodes - 1));
  const times: number[] = [];
  let handled = 0;
  const started = process.cpuUsage();
  for (let crash = 0; crash < CRASHES; crash++) {
    const phases = new Map(members.map((id) => [id, random.next() * DETECTION.interval]));
    const crashMs = 1000 + random.next() * DETECTION.interval;
    const detectors = new Map(watched.map((id) => [id, createDetector(id, members, 0)]));
    // In the order of time: every node says that it lives, once in each interval.
    const ticks = members.flatMap((id) =>
      Array.from({ length: 18 }, (_, n) => ({ id, atMs: (phases.get(id) ?? 0) + (n + 1) * DETECTION.interval })),
    );
    ticks.sort((one, other) => one.atMs - other.atMs);
    let suspects: readonly number[] = [];
    for (const { id, atMs } of ticks) {
      if (id === nodes && atMs >= crashMs) continue;
      const detector = detectors.get(id);
      if (detector !== undefined) {
        const step = stepDetector(detector, { kind: 'tick' }, atMs);
        detectors.set(id, step.detector);
        for (const effect of step.effects) if (effect.kind === 'send') suspects = effect.sign.suspects;
        if (step.effects.some((effect) => effect.kind === 'dead' && effect.node === nodes)) {
          times.push(atMs - crashMs);
          break;
        }
      }
      for (const [receiver, known] of detectors) {
        if (receiver === id) continue;
        detectors.set(
          receiver,
          stepDetector(known, { kind: 'heard', from: id, sign: { suspects, isSlow: false } }, atMs + random.next() * WAY_MS).detector,
        );
        handled++;
      }
    }
  }
  const perSecond = ((nodes - 1) * 1000) / DETECTION.interval;
  const bytes = pack(['hotplug.alive', { suspects: [], isSlow: false, epoch: nodes }]).length;
  return {
    signs: { perSecond, bytesPerSecond: perSecond * bytes, microseconds: process.cpuUsage(started).user / handled },
    detectionMilliseconds: { least: Math.min(...times), most: Math.max(...times) },
  };
}

/** The register, with a store on each node. */
async function measureAgreement(nodes: number): Promise<MembershipCosts['agreement']> {
  let messages = 0;
  let bytes = 0;
  const machines = new Machines({
    seed: 1,
    onMessage: (name, message) => {
      messages++;
      // Those of one kind are about the same.
      if (messages % 50 === 1) bytes += 50 * pack([name, message]).length;
    },
  });
  const view = named(firstView(nodes));
  const stores = membersOf(view).map((id) => {
    const { rpc, clock, random } = machines.start(id);
    for (let peer = 1; peer <= nodes; peer++) if (peer !== id) rpc.addPeer(peer);
    return new RegisterStore({
      rpc,
      clock,
      path: '',
      open: () => ({ read: () => undefined, write: () => undefined }),
      first: view,
      random: () => random.next(),
    });
  });
  const [proposer] = stores;
  if (proposer === undefined) throw new RangeError('there is no node');
  machines.powerOff(nodes);
  const startedMs = machines.nowMs;
  let ignorant = nodes - 1;
  for (const store of stores.slice(0, -1)) store.watch(() => ignorant--);
  machines.after(0, () => void proposer.change((before) => declareDead(before, nodes, `life ${nodes}`)));
  await machines.run(() => ignorant === 0);
  return { milliseconds: machines.nowMs - startedMs, messages, bytes };
}

/** As if all had been up. */
function named(view: View): View {
  return {
    ...view,
    nodes: view.nodes.map((node) => ({ ...node, life: `life ${node.id}`, address: `10.0.${node.id >> 8}.${node.id & 255}`, port: 7420 })),
  };
}

export async function measureMembership(nodes: number): Promise<MembershipCosts> {
  return { nodes, ...measureDetection(nodes), agreement: await measureAgreement(nodes) };
}
