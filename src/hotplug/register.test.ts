/**
 * Random worlds of nodes that change a register and its acceptors at once, with messages that are lost, doubled, delayed and reordered, and nodes that are
 * killed and come back with what was on their disks: whatever was chosen is one history, and once faults stop a change succeeds.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AcceptorState,
  answerRequest,
  type Ballot,
  beginProposal,
  compareBallots,
  FIRST_BALLOT,
  type Proposal,
  type ProposalOptions,
  type ProposalStep,
  type RegisterReply,
  type RegisterRequest,
  stepProposal,
} from './register.ts';

interface Value {
  readonly acceptors: readonly number[];
  /** Names of all changes that led here. */
  readonly history: readonly string[];
}

type Message =
  | { readonly from: number; readonly to: number; readonly request: RegisterRequest<Value> }
  | { readonly from: number; readonly to: number; readonly reply: RegisterReply<Value> };

interface Node {
  readonly id: number;
  acceptor: AcceptorState<Value>;
  proposal: Proposal<Value> | undefined;
  options: ProposalOptions<Value> | undefined;
  above: Ballot;
}

const ALL = [1, 2, 3, 4, 5];
const acceptorsOf = ({ acceptors }: Value): readonly number[] => acceptors;

/** Park and Miller's generator. */
function generator(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

class World {
  readonly random: () => number;
  readonly nodes: Node[];
  messages: Message[] = [];
  chosen: Value[] = [];
  changes = 0;

  constructor(seed: number) {
    this.random = generator(seed);
    const value: Value = { acceptors: [1, 2, 3], history: [] };
    this.nodes = ALL.map((id) => ({
      id,
      acceptor: { promised: FIRST_BALLOT, accepted: value.acceptors.includes(id) ? { ballot: FIRST_BALLOT, value } : undefined },
      proposal: undefined,
      options: undefined,
      above: FIRST_BALLOT,
    }));
  }

  pick<T>(list: readonly T[]): T {
    const picked = list[Math.floor(this.random() * list.length)];
    assert.ok(picked !== undefined);
    return picked;
  }

  begin(node: Node, change: (value: Value) => Value): void {
    const { accepted, promised } = node.acceptor;
    if (accepted === undefined) return;
    const above = compareBallots(promised, node.above) > 0 ? promised : node.above;
    node.options = { acceptorsOf, change };
    this.take(node, beginProposal(node.id, accepted, above, { acceptorsOf }));
  }

  /** A change of the history, and sometimes of the acceptors. */
  someChange(): (value: Value) => Value {
    const name = `change ${++this.changes}`;
    const wish = this.random() < 0.5 ? ALL.filter(() => this.random() < 0.6) : [];
    return ({ acceptors, history }) => ({ acceptors: wish.length > 0 ? wish : acceptors, history: [...history, name] });
  }

  take(node: Node, { proposal, messages }: ProposalStep<Value>): void {
    node.proposal = proposal;
    node.above = compareBallots(proposal.ballot, node.above) > 0 ? proposal.ballot : node.above;
    this.messages.push(...messages.map((message) => ({ from: node.id, ...message })));
    if (proposal.phase !== 'settled') return;
    node.proposal = undefined;
    if (proposal.outcome.kind === 'conflict') node.above = proposal.outcome.above;
    if (proposal.outcome.kind === 'chosen') this.noteChosen(proposal.outcome.value);
  }

  noteChosen(value: Value): void {
    for (const earlier of this.chosen) {
      const [short, long] = earlier.history.length < value.history.length ? [earlier, value] : [value, earlier];
      assert.deepEqual(long.history.slice(0, short.history.length), short.history);
    }
    this.chosen.push(value);
  }

  deliver(message: Message): void {
    const node = this.nodes.find(({ id }) => id === message.to);
    assert.ok(node);
    if ('request' in message) {
      const { state, reply } = answerRequest(node.acceptor, message.request);
      node.acceptor = state;
      this.messages.push({ from: node.id, to: message.from, reply });
    } else if (node.proposal !== undefined && node.options !== undefined)
      this.take(node, stepProposal(node.proposal, message.from, message.reply, node.options));
  }

  /** Something happens. */
  step(): void {
    const dice = this.random();
    if (dice < 0.1) {
      const node = this.pick(this.nodes);
      if (node.proposal === undefined) this.begin(node, this.someChange());
    } else if (dice < 0.13) {
      this.pick(this.nodes).proposal = undefined; // killed, or out of patience
    } else if (this.messages.length > 0) {
      const message = this.pick(this.messages);
      if (dice > 0.2) this.messages = this.messages.filter((other) => other !== message);
      if (dice < 0.9) this.deliver(message);
    }
  }

  /** Without faults, and with one node that proposes. */
  settle(): Value {
    const before = this.chosen.length;
    for (const node of this.nodes) node.proposal = undefined;
    const proposer = this.nodes.filter(({ acceptor }) => acceptor.accepted !== undefined);
    for (let attempt = 0; attempt < 20 && this.chosen.length === before; attempt++) {
      this.begin(this.pick(proposer), (value) => value);
      for (let delivered = 0; this.messages.length > 0; delivered++) {
        assert.ok(delivered < 1000, 'it comes to an end');
        this.deliver(this.messages.shift() ?? assert.fail());
      }
    }
    return this.chosen.at(-1) ?? assert.fail('nothing was chosen');
  }
}

test('what was chosen is one history, whatever happens to messages, proposers and the set of acceptors', () => {
  let chosen = 0;
  for (let seed = 1; seed <= 3000; seed++) {
    const world = new World(seed);
    try {
      for (let step = 0; step < 300; step++) world.step();
      const longest = Math.max(0, ...world.chosen.map(({ history }) => history.length));
      chosen += world.chosen.length;
      assert.ok(world.settle().history.length >= longest, 'what was chosen is read');
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  assert.ok(chosen > 3000, `${chosen} chosen`);
});
