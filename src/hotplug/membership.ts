/** The nodes of the cluster as this node sees them. */
import { KorriganError } from '../linux/errors.ts';

export interface Member {
  /** From 1. */
  readonly id: number;
  readonly name: string;
  readonly address: string;
}

export class Membership<M extends Member = Member> {
  readonly self: M;
  /** All nodes, this one included, by id. */
  readonly members: readonly M[];

  constructor(members: readonly M[], self: number) {
    this.members = members.toSorted((a, b) => a.id - b.id);
    this.self = this.byId(self);
  }

  /** All nodes but this one. */
  get others(): readonly M[] {
    return this.members.filter(({ id }) => id !== this.self.id);
  }

  /** @throws KorriganError KRG_NO_SUCH_NODE */
  byId(id: number): M {
    const member = this.members.find((candidate) => candidate.id === id);
    if (member === undefined) throw new KorriganError('KRG_NO_SUCH_NODE', `the cluster has no node ${id}; it has ${this.names()}`);
    return member;
  }

  /** The node that a user means by a name or an id. @throws KorriganError KRG_NO_SUCH_NODE */
  find(reference: string): M {
    const member = this.members.find(({ name }) => name === reference) ?? this.members.find(({ id }) => String(id) === reference);
    if (member === undefined) throw new KorriganError('KRG_NO_SUCH_NODE', `the cluster has no node "${reference}"; it has ${this.names()}`);
    return member;
  }

  private names(): string {
    return this.members.map(({ name }) => name).join(', ');
  }
}
