/** Watches what the members of a cluster agree on, and who serves, from outside. */
import { type Ballot, compareBallots, DETECTION, majority, membersOf, type View } from '../src/hotplug/index.ts';
import type { NodeId } from '../src/kddm/index.ts';
import type { Member } from './member.ts';

/** The record of a node that only a wish has made. */
export const FIRST_RECORDED = 10_000;

/** The same for the same view. */
function textOf({ epoch, nodes }: View): string {
  return `epoch ${epoch}: ${nodes.map(({ id, state, life, lost, address, port }) => [id, state, life, lost ?? '', address, port].join(' ')).join(', ')}`;
}

interface Chosen {
  readonly ballot: Ballot;
  readonly view: View;
  readonly text: string;
  readonly atMs: number;
}

/** How old a suspicion may be when it counts: it was said with a sign of life, whose sender is not silent yet, and looked at with the next tick. Milliseconds. */
const SUSPICION_AGE_MS = DETECTION.suspicion + 2 * DETECTION.interval + 100;

/**
 * How long a node that was declared dead may believe that it takes part: it looks for a majority in silence that is a death, while the majority only
 * suspected it; it looks with its next tick; and what it stood still for less than a suspicion does not count. Who serves meanwhile needs a lease. Milliseconds.
 */
const GRACE_MS = DETECTION.death + 2 * DETECTION.interval;

export class MembershipChecks {
  readonly #fail: (description: string) => void;
  readonly #now: () => number;
  /** All that is known to be chosen, in the order of the ballots. */
  readonly #chosen: Chosen[] = [];
  /** Lives that are over, with the time at which that was first known. */
  readonly dead = new Map<string, number>();
  /** Called when a life is over for the first time. */
  onDead: ((life: string) => void) | undefined;
  readonly #heardMs = new Map<string, number>();
  /** When one was last suspected by another with reason. */
  readonly #silentMs = new Map<string, number>();
  readonly #upSinceMs = new Map<NodeId, number>();
  readonly #recorded: { readonly id: NodeId; readonly atMs: number }[] = [];

  constructor(first: View, fail: (description: string) => void, now: () => number) {
    this.#fail = fail;
    this.#now = now;
    this.#chosen.push({ ballot: { round: 0, node: 0 }, view: first, text: textOf(first), atMs: 0 });
  }

  get latest(): View {
    return this.#chosen.at(-1)?.view ?? { epoch: 0, nodes: [] };
  }

  started(node: NodeId): void {
    this.#upSinceMs.set(node, this.#now());
  }

  /** What it said of others last still counts. */
  ended(node: NodeId): void {
    for (const other of this.#upSinceMs.keys())
      if (other !== node && this.#silence(node, other) >= DETECTION.suspicion) this.#silentMs.set(`${node}<${other}`, this.#now());
  }

  heard(from: NodeId, by: NodeId): void {
    const key = `${by}<${from}`;
    if (this.#silence(by, from) >= DETECTION.suspicion) this.#silentMs.set(key, this.#now());
    this.#heardMs.set(key, this.#now());
  }

  #silence(by: NodeId, from: NodeId): number {
    return this.#now() - Math.max(this.#heardMs.get(`${by}<${from}`) ?? 0, this.#upSinceMs.get(by) ?? 0);
  }

  #wasSuspected(node: NodeId, by: NodeId): boolean {
    const last = this.#silence(by, node) >= DETECTION.suspicion ? this.#now() : this.#silentMs.get(`${by}<${node}`);
    return last !== undefined && this.#now() - last <= SUSPICION_AGE_MS;
  }

  /** A value was chosen by the proposal with that ballot. It may be said late, and more than once. */
  chosen(ballot: Ballot, view: View): void {
    const text = textOf(view);
    const place = this.#chosen.findIndex((known) => compareBallots(known.ballot, ballot) >= 0);
    const known = this.#chosen[place];
    if (known !== undefined && compareBallots(known.ballot, ballot) === 0) {
      if (known.text !== text) this.#fail(`two values were chosen with one ballot: ${known.text} and ${text}`);
      return;
    }
    const index = place < 0 ? this.#chosen.length : place;
    const chosen = { ballot, view, text, atMs: this.#now() };
    const before = this.#chosen[index - 1];
    const after = this.#chosen[index];
    this.#chosen.splice(index, 0, chosen);
    if (before !== undefined) this.#follows(before, chosen);
    if (after !== undefined) this.#follows(chosen, after);
    for (const node of view.nodes) if (node.lost !== undefined && node.lost !== '') this.#died(node.lost);
  }

  /** One history: a later value comes from the one before it by changes that there are. */
  #follows(before: Chosen, after: Chosen): void {
    const what = `after ${before.text} came ${after.text}`;
    if (after.view.epoch < before.view.epoch) this.#fail(`an epoch went back: ${what}`);
    const isSame = membersOf(before.view).join() === membersOf(after.view).join();
    if (!isSame && after.view.epoch === before.view.epoch) this.#fail(`one epoch has two sets of members: ${what}`);
    for (const node of before.view.nodes) {
      const later = after.view.nodes.find(({ id }) => id === node.id);
      if (later === undefined) this.#fail(`a change was lost, of node ${node.id}: ${what}`);
      if (node.lost !== undefined && later?.lost === undefined) this.#fail(`a death was forgotten, of node ${node.id}: ${what}`);
    }
    const over = new Set(this.#chosen.slice(0, this.#chosen.indexOf(after)).flatMap(({ view }) => view.nodes.map(({ lost }) => lost)));
    for (const { life, state } of after.view.nodes)
      if (life !== '' && over.has(life) && state !== 'possible') this.#fail(`a life that was over came back: ${life} is ${state}`);
  }

  #died(life: string): void {
    if (this.dead.has(life)) return;
    this.onDead?.(life);
    this.dead.set(life, this.#now());
  }

  /** A node asks that another one be declared dead. That may be agreed on much later, when it is heard of again. */
  declares(by: NodeId, node: NodeId, known: View): void {
    // It counted with its last tick.
    const views = [
      known,
      ...this.#chosen
        .filter(({ atMs }, index) => (this.#chosen[index + 1]?.atMs ?? atMs) >= this.#now() - 2 * DETECTION.interval)
        .map(({ view }) => view),
    ];
    const counts = views.map((view) => {
      const members = membersOf(view);
      const suspecting = members.filter((member) => member !== node && this.#wasSuspected(node, member));
      return { members, suspecting, isMajority: suspecting.length >= majority(members) };
    });
    const [first] = counts;
    if (first !== undefined && !counts.some(({ isMajority }) => isMajority))
      this.#fail(
        `node ${by} declares node ${node} dead, though only ${first.suspecting.join() || 'none'} of ${first.members.join()} did not hear of it`,
      );
  }

  /** The record of a wish is there: for everybody who reads from now on. */
  recorded(id: NodeId): void {
    this.#recorded.push({ id, atMs: this.#now() });
  }

  /** What was read by somebody who began then. */
  read(view: View, sinceMs: number): void {
    const missing = this.#recorded.find(({ id, atMs }) => atMs <= sinceMs && !view.nodes.some((node) => node.id === id));
    if (missing !== undefined) this.#fail(`a read does not show what was recorded before it, of node ${missing.id}`);
  }

  /** @param members whose daemons are up and not stopped */
  serving(members: readonly Member[]): void {
    const serving = members.flatMap(({ id, machine, serving: view }) =>
      view === undefined ? [] : [{ id, life: machine.life, view, members: membersOf(view) }],
    );
    for (const one of serving) {
      if (!one.members.includes(one.id)) this.#fail(`node ${one.id} serves in epoch ${one.view.epoch}, in which it does not take part`);
      const deadMs = this.dead.get(one.life);
      if (deadMs !== undefined && this.#now() - deadMs > GRACE_MS)
        this.#fail(`node ${one.id} serves, ${(this.#now() - deadMs).toFixed(0)} ms after it was declared dead`);
      for (const other of serving) {
        if (other.view.epoch === one.view.epoch && other.members.join() !== one.members.join())
          this.#fail(
            `nodes ${one.id} and ${other.id} serve in two epochs ${one.view.epoch}: ${one.members.join()} and ${other.members.join()}`,
          );
        if (!other.members.some((member) => one.members.includes(member)))
          this.#fail(`nodes ${one.id} and ${other.id} serve in views of other nodes: ${one.members.join()} and ${other.members.join()}`);
      }
    }
  }
}
