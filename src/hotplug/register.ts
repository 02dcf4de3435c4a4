/**
 * One value that the members of a cluster agree on without another service: a replicated register, changed by compare-and-set, chosen by
 * majorities. The protocol is CASPaxos (Rystsov, 2018, arXiv:1802.07000), Paxos for one value without a log; acceptors are changed in two steps as in
 * Raft's joint consensus (Ongaro and Ousterhout, 2014, section 6). Pure: who asks and who answers are state machines; sending, time and the disk
 * belong to the caller.
 *
 * Rules: an acceptor's state is on its disk before its answer leaves. The value itself says who its acceptors are. A value with other acceptors than
 * the one before it is chosen by a majority of both; only then it is accepted once more, as final, and its own acceptors suffice. Who finds a value that is
 * not final cannot know whether it was chosen, and brings it to its end first. A read is a change that changes nothing: it is written back before it
 * counts, for a minority may have accepted what nobody chose.
 */
import type { NodeId } from '../rpc/index.ts';

/** Numbers of proposals are ordered, and no two nodes use the same one. */
export interface Ballot {
  /** From 1. */
  readonly round: number;
  readonly node: NodeId;
}

export interface Accepted<Value> {
  readonly ballot: Ballot;
  readonly value: Value;
  /** Acceptors of the value before it, while it is not final and they are others. */
  readonly before?: readonly NodeId[] | undefined;
}

/** What an acceptor must never forget. */
export interface AcceptorState<Value> {
  readonly promised: Ballot;
  /** Undefined on a node that has not been in the cluster yet. */
  readonly accepted: Accepted<Value> | undefined;
}

export type RegisterRequest<Value> =
  | { readonly kind: 'prepare'; readonly ballot: Ballot }
  | ({ readonly kind: 'accept' } & Accepted<Value>);

export type RegisterReply<Value> =
  | { readonly kind: 'promised'; readonly ballot: Ballot; readonly accepted?: Accepted<Value> | undefined }
  | { readonly kind: 'accepted'; readonly ballot: Ballot; readonly isFinal: boolean }
  /** `promised`: to another proposal, with a higher number. */
  | { readonly kind: 'refused'; readonly ballot: Ballot; readonly promised: Ballot };

/** Below every ballot: of the value with which a register begins, which all its acceptors are given. */
export const FIRST_BALLOT: Ballot = { round: 0, node: 0 };

export function compareBallots(one: Ballot, other: Ballot): number {
  return one.round - other.round || one.node - other.node;
}

export function answerRequest<Value>(
  state: AcceptorState<Value>,
  request: RegisterRequest<Value>,
): { state: AcceptorState<Value>; reply: RegisterReply<Value> } {
  const { promised, accepted } = state;
  const { ballot } = request;
  // A proposal that has a promise is answered again: messages are doubled.
  if (compareBallots(ballot, promised) < 0) return { state, reply: { kind: 'refused', ballot, promised } };
  if (request.kind === 'prepare') return { state: { promised: ballot, accepted }, reply: { kind: 'promised', ballot, accepted } };
  const { value, before } = request;
  const isFinal = before === undefined;
  const reply: RegisterReply<Value> = { kind: 'accepted', ballot, isFinal };
  // What is final already stays so when the message before comes once more.
  const isKnownFinal = accepted !== undefined && compareBallots(accepted.ballot, ballot) === 0 && accepted.before === undefined;
  return { state: { promised: ballot, accepted: isKnownFinal ? accepted : { ballot, value, before } }, reply };
}

export interface ProposalOptions<Value> {
  readonly acceptorsOf: (value: Value) => readonly NodeId[];
  /** The new value; the same one for a read. May throw, which ends the proposal: nothing has been changed then. */
  readonly change: (value: Value) => Value;
}

/** Sets of acceptors: each of them has to agree by a majority of its own. */
type Quorums = readonly (readonly NodeId[])[];

export type ProposalOutcome<Value> =
  | { readonly kind: 'chosen'; readonly value: Value }
  /** Another proposal got in between: to be begun again, above that ballot, after a while. Whether the value was changed is not known. */
  | { readonly kind: 'conflict'; readonly above: Ballot }
  /** The change itself failed. */
  | { readonly kind: 'failed'; readonly error: unknown };

interface Preparing<Value> {
  readonly phase: 'preparing';
  readonly ballot: Ballot;
  readonly quorums: Quorums;
  /** The latest value that anybody is known to have accepted. It is never given up for an earlier one, so that asking comes to an end. */
  readonly latest: Accepted<Value>;
  readonly promises: ReadonlySet<NodeId>;
}

interface Accepting<Value> {
  readonly phase: 'accepting';
  readonly ballot: Ballot;
  readonly quorums: Quorums;
  readonly value: Value;
  readonly before: readonly NodeId[] | undefined;
  /** This proposal's own value, not one that it found. */
  readonly isOwn: boolean;
  readonly accepts: ReadonlySet<NodeId>;
}

/** One attempt to change the value. `settled` is final. */
export type Proposal<Value> =
  | Preparing<Value>
  | Accepting<Value>
  | { readonly phase: 'settled'; readonly ballot: Ballot; readonly outcome: ProposalOutcome<Value> };

/** What has to be sent, to whom. */
export interface RegisterMessage<Value> {
  readonly to: NodeId;
  readonly request: RegisterRequest<Value>;
}

export interface ProposalStep<Value> {
  readonly proposal: Proposal<Value>;
  readonly messages: readonly RegisterMessage<Value>[];
}

/** @param known as this node, which has been in the cluster, has accepted it @param above a ballot that has been seen */
export function beginProposal<Value>(
  self: NodeId,
  known: Accepted<Value>,
  above: Ballot,
  { acceptorsOf }: Pick<ProposalOptions<Value>, 'acceptorsOf'>,
): ProposalStep<Value> {
  return prepare(self, known, above, acceptorsOf);
}

/** An acceptor has answered. Answers to earlier ballots and doubled ones change nothing. */
export function stepProposal<Value>(
  proposal: Proposal<Value>,
  from: NodeId,
  reply: RegisterReply<Value>,
  options: ProposalOptions<Value>,
): ProposalStep<Value> {
  const stay = { proposal, messages: [] };
  if (proposal.phase === 'settled' || compareBallots(reply.ballot, proposal.ballot) !== 0) return stay;
  if (reply.kind === 'refused') return settled(proposal.ballot, { kind: 'conflict', above: reply.promised });
  if (proposal.phase === 'preparing') {
    if (reply.kind !== 'promised') return stay;
    const promises = new Set(proposal.promises).add(from);
    const preparing = { ...proposal, promises, latest: later(proposal.latest, reply.accepted) };
    return isAgreed(proposal.quorums, promises) ? decide(preparing, options) : { ...stay, proposal: preparing };
  }
  if (reply.kind !== 'accepted' || reply.isFinal !== (proposal.before === undefined)) return stay;
  const accepts = new Set(proposal.accepts).add(from);
  if (!isAgreed(proposal.quorums, accepts)) return { ...stay, proposal: { ...proposal, accepts } };
  return goOn(proposal, options);
}

/** Majorities have promised. */
function decide<Value>(
  { ballot, quorums, latest }: Preparing<Value>,
  { acceptorsOf, change }: ProposalOptions<Value>,
): ProposalStep<Value> {
  const present = quorumsOf(latest, acceptorsOf);
  // Others may have chosen since: they are asked, too.
  if (present.some((set) => !quorums.some((asked) => isSameSet(set, asked)))) return prepare(ballot.node, latest, ballot, acceptorsOf);
  if (latest.before !== undefined) return accept({ ballot, value: latest.value, before: latest.before, isOwn: false }, acceptorsOf);
  try {
    const value = change(latest.value);
    const acceptors = acceptorsOf(latest.value);
    const before = isSameSet(acceptors, acceptorsOf(value)) ? undefined : acceptors;
    return accept({ ballot, value, before, isOwn: true }, acceptorsOf);
  } catch (error) {
    return settled(ballot, { kind: 'failed', error });
  }
}

/** Majorities have accepted. */
function goOn<Value>({ ballot, value, before, isOwn }: Accepting<Value>, { acceptorsOf }: ProposalOptions<Value>): ProposalStep<Value> {
  if (before !== undefined) return accept({ ballot, value, before: undefined, isOwn }, acceptorsOf);
  return isOwn ? settled(ballot, { kind: 'chosen', value }) : prepare(ballot.node, { ballot, value }, ballot, acceptorsOf);
}

function prepare<Value>(
  self: NodeId,
  latest: Accepted<Value>,
  above: Ballot,
  acceptorsOf: ProposalOptions<Value>['acceptorsOf'],
): ProposalStep<Value> {
  const ballot = { round: above.round + 1, node: self };
  const quorums = quorumsOf(latest, acceptorsOf);
  return {
    proposal: { phase: 'preparing', ballot, quorums, latest, promises: new Set() },
    messages: membersOf(quorums).map((to) => ({ to, request: { kind: 'prepare', ballot } })),
  };
}

function accept<Value>(
  accepting: Pick<Accepting<Value>, 'ballot' | 'value' | 'before' | 'isOwn'>,
  acceptorsOf: ProposalOptions<Value>['acceptorsOf'],
): ProposalStep<Value> {
  const { ballot, value, before } = accepting;
  const quorums = quorumsOf(accepting, acceptorsOf);
  return {
    proposal: { phase: 'accepting', ...accepting, quorums, accepts: new Set() },
    messages: membersOf(quorums).map((to) => ({ to, request: { kind: 'accept', ballot, value, before } })),
  };
}

function settled<Value>(ballot: Ballot, outcome: ProposalOutcome<Value>): ProposalStep<Value> {
  return { proposal: { phase: 'settled', ballot, outcome }, messages: [] };
}

/** Of two with the same ballot, which have the same value, the final one. */
function later<Value>(one: Accepted<Value>, other: Accepted<Value> | undefined): Accepted<Value> {
  if (other === undefined) return one;
  const order = compareBallots(other.ballot, one.ballot);
  return order > 0 || (order === 0 && other.before === undefined) ? other : one;
}

function quorumsOf<Value>(
  { value, before }: Pick<Accepted<Value>, 'value' | 'before'>,
  acceptorsOf: ProposalOptions<Value>['acceptorsOf'],
): Quorums {
  return before === undefined ? [acceptorsOf(value)] : [before, acceptorsOf(value)];
}

function membersOf(quorums: Quorums): NodeId[] {
  return [...new Set(quorums.flat())];
}

function isAgreed(quorums: Quorums, agreed: { has(node: NodeId): boolean }): boolean {
  return quorums.every((set) => set.filter((node) => agreed.has(node)).length >= majority(set));
}

export function majority(acceptors: readonly NodeId[]): number {
  return Math.floor(acceptors.length / 2) + 1;
}

function isSameSet(one: readonly NodeId[], other: readonly NodeId[]): boolean {
  return one.length === other.length && one.every((node) => other.includes(node));
}
