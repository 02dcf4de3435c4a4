/** One life of a daemon with the membership as it is in `src/hotplug`, and what a machine keeps when the daemon ends. */
import {
  type AcceptorState,
  add,
  type ClusterStore,
  appear,
  declareDead,
  HotPlug,
  type HotPlugOptions,
  membersOf,
  RegisterStore,
  type RegisterStoreOptions,
  type Stage,
  type Transition,
  type View,
} from '../src/hotplug/index.ts';
import { isKorriganError } from '../src/linux/errors.ts';
import type { NodeId } from '../src/kddm/index.ts';
import type { Daemon } from './machines.ts';

const RETRY_MS = 300;
const PATIENCE_MS = 6000;
/** All processes of a container are ended, and another one is made. */
const NEW_LIFE_MS = 400;

/** What a machine has beside a daemon. */
export class Machine {
  readonly id: NodeId;
  /** The acceptor's file. */
  disk: AcceptorState<View> | undefined;
  #lives = 1;
  /** It is not to come back by itself. */
  hasLeft = false;
  /** Given to nodes of the cluster's beginning only. */
  readonly first: View | undefined;

  constructor(id: NodeId, first: View | undefined) {
    this.id = id;
    this.first = first;
  }

  /** Of its container. */
  get life(): string {
    return lifeName(this.id, this.#lives);
  }

  /** Everything that ran there has ended. */
  beginLife(): void {
    this.#lives++;
  }
}

function lifeName(id: NodeId, life: number): string {
  return `life ${id}.${life}`;
}

export function nodeRecord(id: NodeId, life: string): Parameters<typeof appear>[1] {
  return { id, name: `node${id}`, address: '', port: 1, life };
}

/** Nodes 1 to this take part. */
export function firstView(nodes: number): View {
  const ids = Array.from({ length: nodes }, (_, index) => index + 1);
  const nobody: View = { epoch: 0, nodes: [] };
  return add(
    ids.reduce((view, id) => appear(view, nodeRecord(id, lifeName(id, 1))), nobody),
    ids,
  );
}

export interface MemberHost {
  /** One that can be asked to take a node in. */
  sponsor(): Member | undefined;
  changed(member: Member, transition: Transition): void;
  /** The member asks that the node be declared dead. */
  declares(member: Member, node: NodeId): void;
  trace(line: () => string): void;
}

export interface MemberOptions {
  readonly daemon: Daemon;
  readonly machine: Machine;
  readonly host: MemberHost;
  /** It is up for the first time, with all others. */
  readonly isKnown?: boolean;
  /** Beside the one that takes note. */
  readonly stages?: readonly Stage[];
  readonly broken: Pick<RegisterStoreOptions, 'protocol'> &
    Pick<HotPlugOptions, 'detect'> & {
      /** What is written does not reach it. */
      readonly hasNoDisk?: boolean;
      readonly isUnfenced?: boolean;
    };
}

export class Member {
  readonly daemon: Daemon;
  readonly machine: Machine;
  readonly store: RegisterStore;
  readonly #options: MemberOptions;
  hotPlug: HotPlug | undefined;
  /** What is shared does not stand still, in this view. */
  serving: View | undefined;
  #view: View | undefined;

  constructor(options: MemberOptions) {
    const { daemon, machine, broken } = options;
    this.#options = options;
    this.daemon = daemon;
    this.machine = machine;
    this.store = new RegisterStore({
      rpc: daemon.rpc,
      clock: daemon.clock,
      path: `acceptor-${daemon.id}`,
      open: () => ({
        read: () => machine.disk,
        write: (state) => {
          if (broken.hasNoDisk !== true) machine.disk = state;
        },
      }),
      first: machine.first,
      random: () => daemon.random.next(),
      ...(broken.protocol && { protocol: broken.protocol }),
    });
    void this.#begin();
  }

  get id(): NodeId {
    return this.daemon.id;
  }

  /** Who has been away finds out what has become of the cluster before he serves anybody. */
  async #begin(): Promise<void> {
    const { daemon, broken, host, stages = [], isKnown = false } = this.#options;
    if (!isKnown) await this.#enrol();
    const note: Stage = {
      name: 'note',
      freeze: () => {
        this.serving = undefined;
        return Promise.resolve();
      },
      change: (transition) => {
        this.#view = transition.after;
        host.changed(this, transition);
        return Promise.resolve();
      },
      resume: () => {
        this.serving = this.#view;
        host.trace(
          () => `node ${this.id} serves in epoch ${this.serving?.epoch ?? 0}: ${membersOf(this.serving ?? { epoch: 0, nodes: [] }).join()}`,
        );
        return Promise.resolve();
      },
    };
    const log = (_: object, message: string): void => host.trace(() => `node ${this.id}: ${message}`);
    this.hotPlug = new HotPlug({
      rpc: daemon.rpc,
      store: this.#observed(),
      stages: [note, ...stages],
      clock: daemon.clock,
      log: { info: log, warn: log },
      ...(broken.detect && { detect: broken.detect }),
    });
  }

  /** The store, for `HotPlug`, which changes it only to declare a death. */
  #observed(): ClusterStore {
    const { store } = this;
    const change: ClusterStore['change'] = (declare) => {
      const { known } = store;
      const dead = declare(known).nodes.find(({ id, lost }) => lost !== known.nodes.find((node) => node.id === id)?.lost);
      if (dead !== undefined) this.#options.host.declares(this, dead.id);
      return store.change(declare);
    };
    return {
      get known() {
        return store.known;
      },
      read: () => store.read(),
      watch: (listener) => store.watch(listener),
      change,
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    };
  }

  /** Its life is over for the others: it has ended everything, and begins another one. */
  async beginAgain(): Promise<void> {
    await this.daemon.clock.delay(NEW_LIFE_MS);
    this.machine.beginLife();
    await this.#enrol();
  }

  /** Until it takes part, or is not to. */
  async #enrol(): Promise<void> {
    const { machine, host, broken } = this.#options;
    for (;;) {
      const record = nodeRecord(this.id, machine.life);
      const comeUp = (view: View): View => appear(ended(broken.isUnfenced === true ? unfenced(view, this.id) : view, record), record);
      const takePart = (view: View): View => {
        const there = comeUp(view);
        return membersOf(there).includes(this.id) || machine.hasLeft ? there : add(there, [this.id]);
      };
      // Who has never been a member has to ask one.
      const isStranger = machine.disk?.accepted === undefined && machine.first === undefined;
      const asked = isStranger ? host.sponsor() : this;
      try {
        // Who is asked may die.
        const done = asked?.store.change(takePart).then(() => true);
        if (await Promise.race([done, this.daemon.clock.delay(PATIENCE_MS)])) return;
      } catch (error) {
        host.trace(() => `node ${this.id} cannot come up: ${error instanceof Error ? error.message : ''}`);
        if (isKorriganError(error, 'KRG_NODE_FENCED')) machine.beginLife();
      }
      await this.daemon.clock.delay(RETRY_MS * (0.5 + this.daemon.random.next()));
    }
  }
}

/** Of a life that was before this one its own machine knows that it is over: nobody else has to find that out. */
function ended(view: View, { id, life }: Parameters<typeof appear>[1]): View {
  const known = view.nodes.find((node) => node.id === id);
  return known === undefined || known.life === life ? view : declareDead(view, id, known.life);
}

/** As if nobody had been declared dead. */
function unfenced(view: View, id: NodeId): View {
  return { ...view, nodes: view.nodes.map((node) => (node.id === id ? { ...node, lost: undefined } : node)) };
}
