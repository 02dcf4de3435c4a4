/**
 * Husks of processes that have no relative here, for those who hold a pidfd of them (pidfd_open(2)): it polls readable at the end of the husk, which is that of
 * the process, and what is sent by it is recorded as with every husk. They stay while somebody has such a descriptor.
 */
import { describeFamily, type FamilyDescription } from '../family-description.ts';
import type { NodeFamilies } from '../node-families.ts';
import { familyCall } from './messages.ts';
import type { Places } from './places.ts';

export class StandIns {
  private readonly families: NodeFamilies;
  private readonly places: Places;
  private readonly makeHusks: (family: FamilyDescription) => Promise<void>;

  /** @param makeHusks as for processes that arrive, of which none comes */
  constructor(families: NodeFamilies, places: Places, makeHusks: (family: FamilyDescription) => Promise<void>) {
    this.families = families;
    this.places = places;
    this.makeHusks = makeHusks;
    families.options.rpc.handle(familyCall, ({ id }) => {
      const isHere = places.here(id) === 'process' && families.table.isProcess(id);
      return isHere ? { isHere, family: describeFamily([id], families.table) } : { isHere };
    });
  }

  /** Makes a husk of a process that runs elsewhere. Nothing happens when there is no such process. */
  async make(pid: number): Promise<void> {
    const { options } = this.families;
    const answer = await this.places.ask(pid, (node) => options.rpc.call(node, familyCall, { id: pid }, this.families.once()));
    if (answer?.family === undefined) return;
    this.families.refer(pid);
    using _ = options.container.foreignPids.admit();
    await this.makeHusks(answer.family);
  }
}
