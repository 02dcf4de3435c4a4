/**
 * The reconfiguration of one epoch. Each node reports to each member the objects whose home that member is now (KDDM_COPYSET); a member that has the reports
 * of all decides and tells all (KDDM_SELECT_OWNER); a node that has carried out the decisions of all says so (KDDM_BARRIER), and all go on when all have: what anybody
 * does on the strength of a decision, everybody knows who lives. A membership that changes meanwhile begins anew; nothing that was carried out is undone by that, because each
 * decision only confirms who holds what, and that there is nothing is remembered, with its term, until all know it.
 */
import type { NodeId } from '../rpc/index.ts';
import type { Context } from './context.ts';
import type { Change } from './events.ts';
import { NEVER, type ObjectId } from './identity.ts';
import { type Conclusions, conclude, type History, pastOf } from './history.ts';
import type { Decision, MessageOf, Past, Report } from './messages.ts';
import { type Group, split } from './parts.ts';
import { keepersOf } from './replicas.ts';
import { carryOut, quiesce, reportOf } from './reports.ts';
import { resolve, type Witness } from './resolution.ts';
import type { SetDirectory } from './set-directory.ts';
import { type Doubt, homeOf, type KddmSet } from './sets.ts';

type Copyset = MessageOf<'KDDM_COPYSET'>;

export class Reconfiguration {
  readonly #context: Context;
  readonly #directory: SetDirectory;
  readonly #change: Change;
  /** What is reported of each object whose home is here. */
  readonly #witnesses = new Map<KddmSet, Map<ObjectId, Witness[]>>();
  /** Of those whose reports are complete. */
  readonly #pasts = new Map<NodeId, Past>();
  readonly #decided = new Set<NodeId>();
  readonly #atBarrier = new Set<NodeId>();
  /** Entries of which something was decided. */
  readonly carriedOut = new Map<string, Decision['fate']>();
  hasDecided = false;

  constructor(context: Context, directory: SetDirectory, change: Change) {
    this.#context = context;
    this.#directory = directory;
    this.#change = change;
  }

  /** Ends what was on its way and reports. */
  begin(history: History, doubts: readonly Doubt[], watches: Copyset['watches']): void {
    const { members, leaving } = this.#change;
    const isLeaving = leaving.includes(this.#context.self);
    const reports = new Map<NodeId, Group<KddmSet, Report>[]>(members.map((member) => [member, []]));
    for (const set of this.#directory.all()) {
      const perMember = new Map<NodeId, Report[]>(members.map((member) => [member, []]));
      for (const entry of set.entries.values()) {
        quiesce(this.#context, set, entry, this.#change.dead);
        const report = reportOf(this.#context, set, entry, history.decided, isLeaving);
        if (report !== undefined) perMember.get(homeOf(set, entry.object, members))?.push(report);
      }
      for (const [member, items] of perMember) reports.get(member)?.push({ head: set, items });
    }
    const past = pastOf(history, doubts);
    const destroyed = this.#directory.reportDestroyed();
    for (const [member, groups] of reports) {
      const parts = split(groups);
      for (const [index, part] of parts.entries()) {
        const sets = part.map(({ head, items }) => ({ record: head.record, termFloor: head.termFloor, reports: [...items] }));
        this.#context.send(member, { kind: 'KDDM_COPYSET', sets, ...(index === parts.length - 1 && { past, watches, destroyed }) });
      }
    }
  }

  /** A report came. @returns what follows from the reports, when they are complete */
  onReports(from: NodeId, message: Copyset): Conclusions | undefined {
    for (const { record, termFloor, reports } of message.sets) {
      const set = this.#directory.install(record);
      if (set === undefined) continue;
      set.termFloor = Math.max(set.termFloor, termFloor);
      const witnesses = this.#witnesses.get(set) ?? new Map<ObjectId, Witness[]>();
      this.#witnesses.set(set, witnesses);
      for (const report of reports) {
        const known = witnesses.get(report.object);
        if (known === undefined) witnesses.set(report.object, [{ ...report, node: from }]);
        else known.push({ ...report, node: from });
      }
    }
    this.#directory.adoptDestroyed(message.destroyed ?? []);
    if (message.past === undefined) return undefined;
    this.#pasts.set(from, message.past);
    const { members, leaving } = this.#change;
    if (this.hasDecided || ![...members, ...leaving].every((node) => this.#pasts.has(node))) return undefined;
    return conclude([...this.#pasts.values()], leaving);
  }

  /** The objects whose home is here. */
  decide({ deaths, deadHomes }: Conclusions): void {
    this.hasDecided = true;
    const { members, leaving } = this.#change;
    const recipients = [...new Set([...members, ...leaving])];
    const decisions = new Map<NodeId, Group<KddmSet, Decision>[]>(recipients.map((node) => [node, []]));
    for (const [set, objects] of this.#witnesses) {
      if (!this.#directory.has(set)) continue;
      const perNode = new Map<NodeId, Decision[]>(recipients.map((node) => [node, []]));
      for (const [object, unsorted] of objects) {
        const witnesses = unsorted.toSorted((a, b) => a.node - b.node);
        const outcome = resolve(witnesses, {
          deaths,
          replicas: set.record.replicas,
          hasHomeDied: deadHomes.some(({ members: view, dead }) => dead.includes(homeOf(set, object, view))),
          isUnknownLost: set.record.unknownAfterCrash === 'lost',
          has: (mutation) => this.#context.has(mutation),
        });
        const decision = this.#decision(set, object, witnesses, outcome);
        for (const node of new Set([this.#context.self, decision.owner, ...decision.rmset, ...witnesses.map((witness) => witness.node)])) {
          perNode
            .get(node)
            ?.push(node === decision.owner || decision.content === undefined ? decision : { ...decision, content: undefined });
        }
      }
      for (const [node, items] of perNode) if (items.length > 0) decisions.get(node)?.push({ head: set, items });
    }
    this.#witnesses.clear();
    for (const [node, groups] of decisions) {
      const parts = split(groups);
      for (const [index, part] of parts.entries()) {
        const sets = part.map(({ head: { record }, items }) => ({ namespace: record.namespace, set: record.set, decisions: [...items] }));
        this.#context.send(node, { kind: 'KDDM_SELECT_OWNER', sets, isLast: index === parts.length - 1 });
      }
    }
  }

  #decision(set: KddmSet, object: ObjectId, witnesses: readonly Witness[], outcome: ReturnType<typeof resolve>): Decision {
    const { members, leaving } = this.#change;
    const { self } = this.#context;
    const term = latestTerm(witnesses, set.termFloor) + 1;
    const nothing = { object, owner: self, term, copyset: [], rmset: [], version: 0, born: NEVER };
    if (outcome.fate === 'absent') return { ...nothing, fate: 'absent' };
    if (outcome.fate === 'lost') {
      // Who is told remembers it, where there are replicas.
      const told = set.record.replicas > 0 ? [...witnesses.map(({ node }) => node), ...keepersOf(this.#context, set, object)] : [];
      return { ...nothing, rmset: [...new Set(told)].filter((node) => node !== self && members.includes(node)), fate: 'lost' };
    }
    const { owner, from } = outcome;
    const isMember = members.includes(owner.node);
    const copies = witnesses.filter(({ node, holds, exists, copy }) => node !== owner.node && holds !== 'none' && exists && copy !== 0);
    return {
      object,
      owner: isMember ? owner.node : self,
      term,
      select: isMember ? from : 'sent',
      ...(!isMember && { content: from === 'backup' ? owner.backup?.bytes : owner.content }),
      copyset: copies.filter(({ node }) => !leaving.includes(node) && (isMember || node !== self)).map(({ node, copy }) => [node, copy]),
      rmset: [...new Set([self, ...witnesses.map(({ node }) => node)])].filter(
        (node) => members.includes(node) && node !== (isMember ? owner.node : self),
      ),
      version: from === 'backup' ? (owner.backup?.version ?? 0) : owner.version,
      born: { epoch: ((from === 'backup' ? owner.backup?.born : owner.born) ?? NEVER).epoch, term },
      fate: 'lives',
    };
  }

  /** Decisions came. @returns whether those of all members have */
  onDecisions(from: NodeId, message: MessageOf<'KDDM_SELECT_OWNER'>): boolean {
    for (const { namespace, set: id, decisions } of message.sets) {
      const set = this.#directory.find(namespace, id);
      if (set === undefined) continue;
      for (const decision of decisions) {
        carryOut(this.#context, set, decision);
        this.carriedOut.set(`${namespace}:${id}:${decision.object}`, decision.fate);
      }
    }
    if (message.isLast) this.#decided.add(from);
    return this.#change.members.every((member) => this.#decided.has(member));
  }

  /** This node has carried out the decisions of all. */
  arrive(): void {
    const [first] = this.#change.members;
    if (first !== undefined) this.#context.send(first, { kind: 'KDDM_BARRIER', isOpen: false });
  }

  /** At the first member: another one has arrived at the barrier. */
  onArrival(from: NodeId): void {
    this.#atBarrier.add(from);
    const { members, leaving } = this.#change;
    const all = [...new Set([...members, ...leaving])];
    if (!all.every((node) => this.#atBarrier.has(node))) return;
    for (const node of all) this.#context.send(node, { kind: 'KDDM_BARRIER', isOpen: true });
  }
}

function latestTerm(witnesses: readonly Witness[], floor: number): number {
  return Math.max(floor, ...witnesses.flatMap(({ term, backup, handedOver }) => [term, backup?.term ?? 0, handedOver?.term ?? 0]));
}
