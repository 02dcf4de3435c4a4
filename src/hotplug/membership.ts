/** The nodes of the cluster as this node sees them, for those who name them. */
import { KorriganError } from '../linux/errors.ts';
import type { NodeRecord } from './view.ts';

export class Membership {
  private readonly id: number;
  private readonly nodes: () => readonly NodeRecord[];

  /** @param nodes of the latest view */
  constructor(self: number, nodes: () => readonly NodeRecord[]) {
    this.id = self;
    this.nodes = nodes;
  }

  /** All nodes that are known, this one included, by id. */
  get members(): readonly NodeRecord[] {
    return this.nodes();
  }

  /** This node. */
  get self(): NodeRecord {
    return this.byId(this.id);
  }

  /** @throws KorriganError KRG_NO_SUCH_NODE */
  byId(id: number): NodeRecord {
    const member = this.members.find((candidate) => candidate.id === id);
    if (member === undefined) throw new KorriganError('KRG_NO_SUCH_NODE', `the cluster has no node ${id}; it has ${this.names()}`);
    return member;
  }

  /** Those that are up, or are taken for it, by id; this node as well. */
  get living(): number[] {
    return this.members.filter(({ state, id }) => state !== 'possible' || id === this.id).map(({ id }) => id);
  }

  isLiving(id: number): boolean {
    return this.living.includes(id);
  }

  nameOf(id: number): string {
    return this.members.find((node) => node.id === id)?.name ?? `node ${id}`;
  }

  /** The node that a user means by a name or an id. @throws KorriganError KRG_NO_SUCH_NODE */
  find(reference: string): NodeRecord {
    const member = this.members.find(({ name }) => name === reference) ?? this.members.find(({ id }) => String(id) === reference);
    if (member === undefined) throw new KorriganError('KRG_NO_SUCH_NODE', `the cluster has no node "${reference}"; it has ${this.names()}`);
    return member;
  }

  private names(): string {
    return this.members.map(({ name }) => name).join(', ');
  }
}
