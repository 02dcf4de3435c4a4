/** One life of a daemon with the membership as it is in `src/hotplug`, and what a machine keeps when the daemon ends. */
import {
  type AcceptorState,
  add,
  appear,
  type ClusterStore,
  HotPlug,
  type HotPlugOptions,
  membersOf,
  type OwnRecord,
  RegisterStore,
  type RegisterStoreOptions,
  type Stage,
  type Transition,
  type View,
} from '../src/hotplug/index.ts';
import type { NodeId } from '../src/kddm/index.ts';
import type { Daemon } from './machines.ts';

/** What a machine has beside a daemon. */
export class Machine {
  readonly id: NodeId;
  /** The acceptor's file. */
  disk: AcceptorState<View> | undefined;
  #lives = 1;
  #daemons = 0;
  /** Given to nodes of the cluster's beginning only. */
  readonly first: View | undefined;

  constructor(id: NodeId, first: View | undefined) {
    this.id = id;
    this.first = first;
  }

  /** Of its container. */
  get life(): string {
    return `life ${this.id}.${this.#lives}`;
  }

  /** Everything that ran there has ended. */
  beginLife(): void {
    this.#lives++;
  }

  /** What the next daemon says of its node. */
  nextDaemon(): OwnRecord {
    return nodeRecord(this.id, this.life, `daemon ${this.id}.${++this.#daemons}`);
  }
}

export function nodeRecord(id: NodeId, life: string, daemon?: string): OwnRecord {
  return { id, name: `node${id}`, address: '', port: 1, life, daemon };
}

/** Nodes 1 to this take part; none has been up yet. */
export function firstView(nodes: number): View {
  const ids = Array.from({ length: nodes }, (_, index) => index + 1);
  const nobody: View = { epoch: 0, nodes: [] };
  return add(
    ids.reduce((view, id) => appear(view, nodeRecord(id, '')), nobody),
    ids,
  );
}

export interface MemberHost {
  changed(member: Member, transition: Transition): void;
  /** The member asks that the node be declared dead. */
  declares(member: Member, node: NodeId): void;
  fenced(member: Member): void;
  trace(line: () => string): void;
}

export interface MemberOptions {
  readonly daemon: Daemon;
  readonly machine: Machine;
  readonly host: MemberHost;
  /** Above the one that takes note. */
  readonly stages?: (self: OwnRecord) => readonly Stage[];
  readonly broken: Pick<RegisterStoreOptions, 'protocol'> &
    Pick<HotPlugOptions, 'detect'> & {
      /** What is written does not reach it. */
      readonly hasNoDisk?: boolean;
      readonly isUnfenced?: boolean;
    };
}

const NOBODY: View = { epoch: 0, nodes: [] };

export class Member {
  readonly daemon: Daemon;
  readonly machine: Machine;
  readonly self: OwnRecord;
  readonly store: RegisterStore;
  readonly hotPlug: HotPlug;
  readonly #options: MemberOptions;
  /** What is shared does not stand still, in this view. */
  serving: View | undefined;
  #view = NOBODY;

  constructor(options: MemberOptions) {
    const { daemon, machine, broken, host, stages } = options;
    this.#options = options;
    this.daemon = daemon;
    this.machine = machine;
    this.self = machine.nextDaemon();
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
    const log = (_: object, message: string): void => host.trace(() => `node ${this.id}: ${message}`);
    this.hotPlug = new HotPlug({
      rpc: daemon.rpc,
      store: this.#observed(),
      self: this.self,
      stages: [this.#note(), ...(stages?.(this.self) ?? [])],
      onFenced: () => host.fenced(this),
      clock: daemon.clock,
      log: { info: log, warn: log },
      ...(broken.detect && { detect: broken.detect }),
    });
    void this.hotPlug.start();
  }

  get id(): NodeId {
    return this.daemon.id;
  }

  #note(): Stage {
    const { host } = this.#options;
    return {
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
        host.trace(() => `node ${this.id} serves in epoch ${this.#view.epoch}: ${membersOf(this.#view).join()}`);
        return Promise.resolve();
      },
    };
  }

  /** The store, for `HotPlug`, which says there who is dead. */
  #observed(): ClusterStore {
    const { store } = this;
    const { isUnfenced = false } = this.#options.broken;
    const change: ClusterStore['change'] = (asked) => {
      const { known } = store;
      const dead = deadBy(asked, known);
      if (dead !== undefined && dead !== this.id) this.#options.host.declares(this, dead);
      return store.change(isUnfenced ? (view) => asked(unfenced(view, this.id)) : asked);
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
}

/** Whom the change declares dead. */
function deadBy(change: (view: View) => View, known: View): NodeId | undefined {
  try {
    return change(known).nodes.find(({ id, lost }) => lost !== known.nodes.find((node) => node.id === id)?.lost)?.id;
  } catch {
    return undefined;
  }
}

/** As if nobody had been declared dead. */
function unfenced(view: View, id: NodeId): View {
  return { ...view, nodes: view.nodes.map((node) => (node.id === id ? { ...node, lost: undefined } : node)) };
}
