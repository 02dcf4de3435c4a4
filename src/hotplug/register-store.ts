/** The cluster's record without another service: the members are its acceptors, each with its part on its own disk. See `register`. */
import { KorriganError } from '../linux/errors.ts';
import type { RpcNode } from '../rpc/index.ts';
import { AcceptorFile } from './acceptor-file.ts';
import { type Clock, machineClock } from './clock.ts';
import { chosenNotice, registerCall } from './register-calls.ts';
import {
  type Accepted,
  type AcceptorState,
  answerRequest,
  type Ballot,
  beginProposal,
  compareBallots,
  FIRST_BALLOT,
  type Proposal,
  type ProposalOptions,
  type ProposalStep,
  type RegisterMessage,
  stepProposal,
} from './register.ts';
import type { ClusterStore } from './store.ts';
import { membersOf, type View } from './view.ts';

const ANSWER_MILLISECONDS = 1000;
/** How long is tried to change the record. */
const PATIENCE_MILLISECONDS = 5000;
/** Between two attempts at most, at first; twice as long after each. */
const BACKOFF_MILLISECONDS = 10;
const LONGEST_BACKOFF_MILLISECONDS = 400;

export interface RegisterStoreOptions {
  readonly rpc: Pick<RpcNode, 'id' | 'peers' | 'call' | 'handle' | 'notify' | 'handleNotice'>;
  /** Where this node's part lies: the path of a file. */
  readonly path: string;
  /** @default a file of this machine */
  readonly open?: (path: string) => AcceptorDisk;
  /** The record with which the cluster begins, the same on all nodes that are in it; undefined on one that joins later. */
  readonly first: View | undefined;
  /** Between 0 and 1, for pauses of different lengths. @default Math.random */
  readonly random?: () => number;
  /** @default that of this machine */
  readonly clock?: Clock;
  /** The simulator has broken ones. @default that of `register` */
  readonly protocol?: RegisterProtocol;
}

export interface RegisterProtocol {
  readonly answerRequest: typeof answerRequest<View>;
  readonly beginProposal: typeof beginProposal<View>;
  readonly stepProposal: typeof stepProposal<View>;
}

export type AcceptorDisk = Pick<AcceptorFile, 'read' | 'write'>;

export class RegisterStore implements ClusterStore {
  private readonly options: RegisterStoreOptions;
  private readonly file: AcceptorDisk;
  private readonly clock: Clock;
  private readonly protocol: RegisterProtocol;
  private acceptor: AcceptorState<View>;
  /** The latest that is known to be chosen. */
  private latest: Accepted<View>;
  private above: Ballot = FIRST_BALLOT;
  /** Of this node one proposal is under way at a time. */
  private queue: Promise<unknown> = Promise.resolve();
  private readonly listeners = new Set<(view: View) => void>();
  private isClosed = false;

  /** @throws Error when the file is damaged */
  constructor(options: RegisterStoreOptions) {
    this.options = options;
    const { first, path, open = (file) => new AcceptorFile(file), clock = machineClock } = options;
    this.protocol = options.protocol ?? { answerRequest, beginProposal, stepProposal };
    this.clock = clock;
    this.file = open(path);
    const accepted = first === undefined ? undefined : { ballot: FIRST_BALLOT, value: first };
    this.acceptor = this.file.read() ?? { promised: FIRST_BALLOT, accepted };
    this.latest = accepted ?? { ballot: FIRST_BALLOT, value: { epoch: 0, nodes: [] } };
    options.rpc.handle(registerCall, (request) => {
      const { state, reply } = this.protocol.answerRequest(this.acceptor, request);
      if (state !== this.acceptor) this.file.write(state);
      this.acceptor = state;
      return reply;
    });
    options.rpc.handleNotice(chosenNotice, ({ ballot, value }) => this.learn({ ballot, value }));
  }

  get known(): View {
    return this.latest.value;
  }

  read(): Promise<View> {
    return this.change((view) => view);
  }

  change(change: (view: View) => View): Promise<View> {
    const result = this.queue.then(() => this.propose({ acceptorsOf: membersOf, change }));
    this.queue = result.catch(() => undefined);
    return result;
  }

  watch(listener: (view: View) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true;
    await this.queue;
  }

  private async propose(options: ProposalOptions<View>): Promise<View> {
    const { rpc, random = Math.random } = this.options;
    let backoff = BACKOFF_MILLISECONDS;
    for (const until = this.clock.now() + PATIENCE_MILLISECONDS; !this.isClosed && this.clock.now() < until; ) {
      const above = later(this.above, this.acceptor.promised);
      const proposal = await this.attempt(this.protocol.beginProposal(rpc.id, this.accepted, above, options), options);
      this.above = later(this.above, proposal.ballot);
      const outcome = proposal.phase === 'settled' ? proposal.outcome : undefined;
      if (outcome?.kind === 'failed') throw outcome.error;
      if (outcome?.kind === 'chosen') {
        this.announce({ ballot: proposal.ballot, value: outcome.value });
        return outcome.value;
      }
      if (outcome?.kind === 'conflict') this.above = later(this.above, outcome.above);
      await this.clock.delay(backoff * random());
      backoff = Math.min(2 * backoff, LONGEST_BACKOFF_MILLISECONDS);
    }
    const members = membersOf(this.accepted.value);
    throw new KorriganError(
      'KRG_NO_MAJORITY',
      `fewer than half of the nodes that take part (${members.join(', ')}) answer, so nothing can be agreed on; what is shared stands still until they are back`,
    );
  }

  /** What this node has accepted, or has heard of, to begin with. */
  private get accepted(): Accepted<View> {
    const { accepted } = this.acceptor;
    return accepted === undefined || compareBallots(accepted.ballot, this.latest.ballot) < 0 ? this.latest : accepted;
  }

  /** @returns the proposal when it is settled, or when nobody who was asked has still to answer */
  private attempt(first: ProposalStep<View>, options: ProposalOptions<View>): Promise<Proposal<View>> {
    return new Promise((resolve) => {
      let { proposal } = first;
      let asked = 0;
      const ask = ({ to, request }: RegisterMessage<View>): void => {
        asked++;
        this.options.rpc
          .call(to, registerCall, request, { deadlineMs: ANSWER_MILLISECONDS })
          .then((reply) => take(this.protocol.stepProposal(proposal, to, reply, options)))
          .catch(() => undefined)
          .finally(() => {
            if (--asked === 0) resolve(proposal);
          });
      };
      const take = (step: ProposalStep<View>): void => {
        ({ proposal } = step);
        this.useUp(proposal.ballot);
        if (proposal.phase === 'settled') resolve(proposal);
        else for (const message of step.messages) ask(message);
      };
      take(first);
      // A node that has not heard of the cluster yet has nobody to ask.
      if (asked === 0) resolve(proposal);
    });
  }

  /** No later life of this node may use the number of a proposal again. It is on the disk before anybody hears of it. */
  private useUp(ballot: Ballot): void {
    if (compareBallots(ballot, this.acceptor.promised) <= 0) return;
    this.acceptor = { ...this.acceptor, promised: ballot };
    this.file.write(this.acceptor);
  }

  private announce(chosen: Accepted<View>): void {
    const { rpc } = this.options;
    this.learn(chosen);
    for (const peer of rpc.peers) rpc.notify(peer, chosenNotice, { ballot: chosen.ballot, value: chosen.value });
  }

  private learn(chosen: Accepted<View>): void {
    if (compareBallots(chosen.ballot, this.latest.ballot) <= 0) return;
    const isNews = JSON.stringify(chosen.value) !== JSON.stringify(this.latest.value);
    this.latest = chosen;
    if (isNews) for (const listener of this.listeners) listener(chosen.value);
  }
}

function later(one: Ballot, other: Ballot): Ballot {
  return compareBallots(one, other) < 0 ? other : one;
}
