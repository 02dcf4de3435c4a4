/** Hot plug on one node: says that it lives, hears of the others, and takes the node's modules from view to view. */
import { z } from 'zod';
import { isKorriganError } from '../linux/errors.ts';
import { defineNotice, type NodeId, type RpcNode } from '../rpc/index.ts';
import { type Clock, machineClock } from './clock.ts';
import { createDetector, type Detector, type DetectorEvent, DETECTION, type SignOfLife, stepDetector } from './detector.ts';
import { type Stage, Stages, type Transition, transitionOf } from './stages.ts';
import type { ClusterStore } from './store.ts';
import { comeUp, coordinatorOf, declareDead, membersOf, type OwnRecord, vanish, type View } from './view.ts';

const aliveNotice = defineNotice('hotplug.alive', z.object({ suspects: z.array(z.int()), isSlow: z.boolean(), epoch: z.int() }), {
  isRepeated: true,
});
/** The first of the living declares the dead; each of the others waits so much longer for it. */
const DECLARATION_MILLISECONDS = 300;
/** A node that is up and does not take part is possible only, when there has been no link to it for so long. */
const ABSENCE_MILLISECONDS = 3000;
const AGAIN_MILLISECONDS = 200;
/** That a later view was chosen is said to all by whoever chose it: only who has not heard of it by then asks. */
const NOTICE_MILLISECONDS = 50;

export interface HotPlugOptions {
  readonly rpc: Pick<RpcNode, 'id' | 'peers' | 'addPeer' | 'handleNotice' | 'notify' | 'isConnected' | 'disconnect' | 'onPortAnswer'>;
  readonly store: ClusterStore;
  readonly self: OwnRecord;
  /** From below. */
  readonly stages: readonly Stage[];
  /** What ran on this node was declared dead: others have seen it killed. It has to end, and the daemon with it. */
  readonly onFenced: () => void;
  /** The modules of this node have followed a change. */
  readonly onChange?: (transition: Transition) => void;
  /** @default that of this machine */
  readonly clock?: Clock;
  /** The simulator has broken ones. @default stepDetector */
  readonly detect?: typeof stepDetector;
  /** How long a daemon may take to be started again. @default DETECTION.restart */
  readonly restartMilliseconds?: number;
  /** For so long this node says that it is slow: a daemon that has just begun compiles what it runs. @default 0 */
  readonly settlingMilliseconds?: number;
  readonly log: { info(details: object, message: string): void; warn(details: object, message: string): void };
}

export class HotPlug implements AsyncDisposable {
  private readonly options: HotPlugOptions;
  private readonly stages: Stages;
  private readonly clock: Clock;
  private detector: Detector;
  /** What the modules have been taken to. */
  private current: View = { epoch: 0, nodes: [] };
  private stopTicking: () => void = () => undefined;
  private work: Promise<void> = Promise.resolve();
  /** The view that {@link HotPlug.start} has seen is known to be the cluster's. */
  private hasBegun = false;
  private isFenced = false;
  private isCatchingUp = false;
  /**
   * Whether this node has been within reach ever since it knew that it takes part. Who was not may have been declared dead, and what it hears first may
   * have been said before: it reads the record before it goes on.
   */
  private isCertain = true;
  /** Of others. Who is behind that stands still: it may be out. */
  private heardEpoch = 0;
  private isClosed = false;
  /** When there was a link to each node that is up and does not take part. */
  private readonly linkedAt = new Map<NodeId, number>();

  constructor(options: HotPlugOptions) {
    const { rpc, store, stages, clock = machineClock, restartMilliseconds, settlingMilliseconds = 0 } = options;
    this.options = options;
    this.clock = clock;
    this.stages = new Stages(stages);
    const detector = createDetector(rpc.id, membersOf(store.known), clock.now(), restartMilliseconds);
    this.detector = { ...detector, slowUntil: clock.now() + settlingMilliseconds };
    rpc.handleNotice(aliveNotice, ({ suspects, isSlow, epoch }, { caller }) => {
      this.step({ kind: 'heard', from: caller, sign: { suspects, isSlow } });
      const { known } = store;
      if (epoch > known.epoch) {
        this.heardEpoch = Math.max(this.heardEpoch, epoch);
        this.follow();
        this.catchUp();
      }
      // It takes itself for a member, and is to hear that it is none.
      if (epoch < known.epoch && !membersOf(known).includes(caller)) this.say(caller);
    });
    rpc.onPortAnswer(({ peer, isOpen }) => this.step({ kind: 'port', of: peer, isOpen }));
    store.watch(() => this.follow());
    this.meet();
  }

  /**
   * Takes part from now on, as soon as a majority answers. Resolves when this node's modules have been told of the cluster as it is, or when this node is
   * fenced or closed.
   */
  async start(): Promise<void> {
    const { store, self, log } = this.options;
    this.stopTicking = this.clock.every(DETECTION.interval, () => this.tick());
    for (let isFirst = true; !this.isClosed; isFirst = false) {
      try {
        await store.change((view) => comeUp(view, self));
        break;
      } catch (error) {
        if (isKorriganError(error, 'KRG_NODE_FENCED')) return this.fenced();
        if (!isKorriganError(error, 'KRG_NO_MAJORITY')) throw error;
        if (isFirst) log.warn({}, 'no majority of the cluster answers yet: this node waits for it before it takes part');
        await this.clock.delay(AGAIN_MILLISECONDS);
      }
    }
    this.hasBegun = true;
    this.follow();
    await this.settled();
  }

  /** The view that all modules of this node have been taken to. */
  get view(): View {
    return this.current;
  }

  /** Does this node hear of a majority? If not, what is shared stands still. */
  get hasMajority(): boolean {
    return this.detector.hasMajority;
  }

  /** Changes the cluster's record; see ClusterStore. */
  change(change: (view: View) => View): Promise<View> {
    return this.options.store.change(change);
  }

  /** Resolves when everything that has been heard of has been followed. */
  async settled(): Promise<void> {
    for (let work: Promise<void> | undefined; work !== this.work; ) await (work = this.work);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true;
    this.stopTicking();
    await this.settled();
  }

  private tick(): void {
    const late = this.clock.now() - this.detector.tickedAt - DETECTION.interval;
    if (late > DETECTION.suspicion)
      this.options.log.warn({ milliseconds: Math.round(late) }, 'this daemon stood still: it was stopped, or had no processor');
    this.step({ kind: 'tick' });
    if (!this.detector.hasMajority) this.catchUp();
    this.lookAfterPresent();
  }

  private step(event: DetectorEvent): void {
    const { detect = stepDetector } = this.options;
    const now = this.clock.now();
    // Then others may have suspected it, and its own silence counts for less than it lasted.
    const stoodStill = now - this.detector.tickedAt >= DETECTION.suspicion;
    const { detector, effects } = detect(this.detector, event, now);
    this.detector = detector;
    if (stoodStill && this.isCertain) {
      this.isCertain = false;
      this.follow();
    }
    if (!this.isCertain && detector.hasMajority) this.catchUp();
    for (const effect of effects) {
      if (effect.kind === 'send') this.say(effect.to, effect.sign);
      else if (effect.kind === 'dead') void this.declare(effect.node);
      else {
        this.options.log.warn(
          { hasMajority: effect.has },
          effect.has ? 'a majority of the cluster answers again' : 'no majority of the cluster answers: what is shared stands still',
        );
        if (!effect.has) this.isCertain = false;
        this.follow();
      }
    }
  }

  private say(to: NodeId, { suspects, isSlow }: SignOfLife = { suspects: [], isSlow: false }): void {
    const { rpc, store } = this.options;
    if (rpc.peers.includes(to)) rpc.notify(to, aliveNotice, { suspects: [...suspects], isSlow, epoch: store.known.epoch });
  }

  private async declare(node: NodeId): Promise<void> {
    const { rpc, store, log } = this.options;
    const life = store.known.nodes.find(({ id }) => id === node)?.life ?? '';
    // One that has never been up has no life to lose.
    if (life === '') return;
    for (;;) {
      const living = membersOf(store.known).filter((id) => !this.detector.dead.has(id));
      const rank = living.indexOf(rpc.id);
      // Who does not take part has no say.
      if (rank < 0) return;
      await this.clock.delay(DECLARATION_MILLISECONDS * rank);
      // A node that stood still looks again first.
      if (this.clock.now() - this.detector.tickedAt > 2 * DETECTION.interval) await this.clock.delay(2 * DETECTION.interval);
      if (this.isClosed || !this.detector.dead.has(node) || !membersOf(store.known).includes(node)) return;
      log.warn({ node }, 'a node is silent, and a majority says so: it is declared dead');
      try {
        await store.change((view) => declareDead(view, node, life));
        return;
      } catch (error) {
        log.warn({ node, error }, 'a dead node could not be declared dead; it is tried again');
        await this.clock.delay(DETECTION.death);
      }
    }
  }

  /** Nodes that are up and do not take part hear of the cluster, and are possible only when they have gone. */
  private lookAfterPresent(): void {
    const { rpc, store } = this.options;
    const { known } = store;
    if (!membersOf(known).includes(rpc.id)) return;
    const present = known.nodes.filter(({ state }) => state === 'present').map(({ id }) => id);
    for (const id of this.linkedAt.keys()) if (!present.includes(id)) this.linkedAt.delete(id);
    for (const id of present) {
      this.say(id);
      if (rpc.isConnected(id) || !this.linkedAt.has(id)) this.linkedAt.set(id, this.clock.now());
      const absent = this.clock.now() - (this.linkedAt.get(id) ?? 0) > ABSENCE_MILLISECONDS;
      if (!absent || coordinatorOf(known) !== rpc.id) continue;
      this.linkedAt.delete(id);
      store.change((view) => vanish(view, id)).catch(() => undefined); // it is tried again
    }
  }

  /** A later view was missed, or is on its way. */
  private catchUp(): void {
    if (this.isCatchingUp || !this.hasBegun) return;
    this.isCatchingUp = true;
    const { store } = this.options;
    const read = async (): Promise<void> => {
      await this.clock.delay(NOTICE_MILLISECONDS);
      if (this.isCertain && store.known.epoch >= this.heardEpoch) return;
      await store.read();
      this.isCertain = this.detector.hasMajority;
      this.follow();
    };
    read()
      .catch((error: unknown) => {
        if (!isKorriganError(error, 'KRG_NO_MAJORITY')) throw error;
      })
      .finally(() => (this.isCatchingUp = false));
  }

  /** Knows all nodes of the latest view. */
  private meet(): void {
    const { rpc, store } = this.options;
    for (const { id, address, port } of store.known.nodes) if (id !== rpc.id) rpc.addPeer(id, address, port);
    const members = membersOf(store.known);
    this.step({ kind: 'members', members: members.includes(rpc.id) ? members : [] });
  }

  private fenced(): void {
    if (this.isFenced) return;
    this.isFenced = true;
    this.stopTicking();
    this.options.log.warn({}, 'this node was declared dead while it could not be reached; what ran on it ends');
    this.options.onFenced();
  }

  private follow(): void {
    if (!this.hasBegun) return;
    this.work = this.work.then(async () => {
      const { rpc, store, self, log, onChange } = this.options;
      const after = store.known;
      if (this.isFenced || this.isClosed) return;
      if (after.nodes.some(({ id, lost }) => id === rpc.id && lost === self.life)) return this.fenced();
      const transition = transitionOf(this.current, after);
      this.meet();
      if (transition !== undefined) {
        const { joined, left, died } = transition;
        // Whoever waits for an answer of a dead node has waited enough.
        for (const id of died) rpc.disconnect(id);
        await this.stages.freeze();
        for (const [stage, error] of await this.stages.change(transition))
          log.warn({ stage, error }, 'a module did not follow a change of the cluster');
        log.info({ epoch: after.epoch, joined, left, died }, 'the cluster has changed');
      }
      this.current = after;
      if (transition !== undefined) onChange?.(transition);
      // Who does not take part has no share in what is shared.
      const isCurrent = this.isCertain && after.epoch >= this.heardEpoch && membersOf(after).includes(rpc.id);
      if (this.detector.hasMajority && isCurrent) await this.stages.resume();
      else await this.stages.freeze();
    });
  }
}
