/** Hot plug on one node: says that it lives, hears of the others, and takes the node's modules from view to view. */
import { z } from 'zod';
import { isKorriganError } from '../linux/errors.ts';
import { defineNotice, type NodeId, type RpcNode } from '../rpc/index.ts';
import { type Clock, machineClock } from './clock.ts';
import { createDetector, type Detector, type DetectorEvent, DETECTION, stepDetector } from './detector.ts';
import { type Stage, Stages, transitionOf } from './stages.ts';
import type { ClusterStore } from './store.ts';
import { declareDead, membersOf, type View } from './view.ts';

const aliveNotice = defineNotice('hotplug.alive', z.object({ suspects: z.array(z.int()), epoch: z.int() }));
/** The first of the living declares the dead; each of the others waits so much longer for it. */
const DECLARATION_MILLISECONDS = 300;

export interface HotPlugOptions {
  readonly rpc: Pick<RpcNode, 'id' | 'handleNotice' | 'notify' | 'onLinkChange'>;
  readonly store: ClusterStore;
  /** From below. */
  readonly stages: readonly Stage[];
  /** @default that of this machine */
  readonly clock?: Clock;
  /** The simulator has broken ones. @default stepDetector */
  readonly detect?: typeof stepDetector;
  /** How long a daemon may take to be started again. @default DETECTION.restart */
  readonly restartMilliseconds?: number;
  readonly log: { info(details: object, message: string): void; warn(details: object, message: string): void };
}

export class HotPlug implements AsyncDisposable {
  private readonly options: HotPlugOptions;
  private readonly stages: Stages;
  private readonly clock: Clock;
  private detector: Detector;
  /** What the modules have been taken to. */
  private current: View = { epoch: 0, nodes: [] };
  private readonly stopTicking: () => void;
  private work: Promise<void> = Promise.resolve();
  private isCatchingUp = false;
  private isClosed = false;

  constructor(options: HotPlugOptions) {
    const { rpc, store, stages, clock = machineClock, restartMilliseconds } = options;
    this.options = options;
    this.clock = clock;
    this.stages = new Stages(stages);
    this.detector = createDetector(rpc.id, membersOf(store.known), clock.now(), restartMilliseconds);
    rpc.handleNotice(aliveNotice, ({ suspects, epoch }, { caller }) => {
      this.step({ kind: 'heard', from: caller, sign: { suspects } });
      if (epoch > store.known.epoch) this.catchUp();
    });
    rpc.onLinkChange(({ peer, up }) => {
      if (!up) this.step({ kind: 'link-lost', to: peer });
    });
    store.watch(() => this.follow());
    this.stopTicking = clock.every(DETECTION.interval, () => this.step({ kind: 'tick' }));
    this.follow();
  }

  /** The view that all modules of this node have been taken to. */
  get view(): View {
    return this.current;
  }

  /** Does this node hear of a majority? If not, what is shared stands still. */
  get hasMajority(): boolean {
    return this.detector.hasMajority;
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

  private step(event: DetectorEvent): void {
    const { detect = stepDetector } = this.options;
    const { detector, effects } = detect(this.detector, event, this.clock.now());
    this.detector = detector;
    const { rpc, store, log } = this.options;
    for (const effect of effects) {
      if (effect.kind === 'send') rpc.notify(effect.to, aliveNotice, { suspects: [...effect.sign.suspects], epoch: store.known.epoch });
      else if (effect.kind === 'dead') void this.declare(effect.node);
      else {
        log.warn(
          { hasMajority: effect.has },
          effect.has ? 'a majority of the cluster answers again' : 'no majority of the cluster answers: what is shared stands still',
        );
        this.follow();
      }
    }
  }

  private async declare(node: NodeId): Promise<void> {
    const { rpc, store, log } = this.options;
    const life = store.known.nodes.find(({ id }) => id === node)?.life;
    const living = membersOf(store.known).filter((id) => !this.detector.dead.has(id));
    await this.clock.delay(DECLARATION_MILLISECONDS * living.indexOf(rpc.id));
    if (life === undefined || this.isClosed || !this.detector.dead.has(node)) return;
    log.warn({ node }, 'a node is silent, and a majority says so: it is declared dead');
    try {
      await store.change((view) => declareDead(view, node, life));
    } catch (error) {
      // Whoever gets a majority again asks again, and finds it dead or alive.
      log.warn({ node, error }, 'a dead node could not be declared dead');
    }
  }

  /** A later view was missed. */
  private catchUp(): void {
    if (this.isCatchingUp) return;
    this.isCatchingUp = true;
    this.options.store
      .read()
      .then(() => this.follow())
      .catch((error: unknown) => {
        if (!isKorriganError(error, 'KRG_NO_MAJORITY')) throw error;
      })
      .finally(() => (this.isCatchingUp = false));
  }

  private follow(): void {
    this.work = this.work.then(async () => {
      const { store, log } = this.options;
      const after = store.known;
      const transition = transitionOf(this.current, after);
      if (transition !== undefined) {
        await this.stages.freeze();
        this.step({ kind: 'members', members: membersOf(after) });
        for (const [stage, error] of await this.stages.change(transition))
          log.warn({ stage, error }, 'a module did not follow a change of the cluster');
        const { joined, left, died } = transition;
        log.info({ epoch: after.epoch, joined, left, died }, 'the cluster has changed');
      }
      this.current = after;
      if (this.detector.hasMajority) await this.stages.resume();
      else await this.stages.freeze();
    });
  }
}
