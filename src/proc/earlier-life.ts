/**
 * The container of a node is another one than before: what was born in the earlier one and lives on other nodes gets its husks here, so that its pids are not
 * given again and this node is its home as it was.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { KorriganError } from '../linux/index.ts';
import type { NodeId } from '../rpc/index.ts';
import { describeFamily, type FamilyDescription } from './family-description.ts';
import { bornCall } from './messages.ts';
import type { NodeFamilies } from './node-families.ts';

const ANSWER_MILLISECONDS = 2000;
const AGAIN_MILLISECONDS = 100;
/** Relatives that are just changing are described anew. */
const ATTEMPTS = 20;

export class EarlierLife {
  private readonly families: NodeFamilies;
  private readonly makeHusks: (family: FamilyDescription) => Promise<void>;

  /** @param makeHusks as for processes that arrive, of which none comes */
  constructor(families: NodeFamilies, makeHusks: (family: FamilyDescription) => Promise<void>) {
    this.families = families;
    this.makeHusks = makeHusks;
    const { visitors, table, options } = families;
    options.rpc.handle(bornCall, (_, { caller }) => ({
      families: [...visitors]
        .filter((pid) => options.homeOf(pid) === caller && table.find(pid)?.ended === undefined)
        .map((pid) => describeFamily([pid], table)),
    }));
  }

  /** Resolves when the pids of all that live on nodes that are up are taken here. */
  async takeOver(): Promise<void> {
    const { rpc, isLiving } = this.families.options;
    await Promise.all(rpc.peers.filter(isLiving).map((peer) => this.takeOverFrom(peer)));
  }

  private async takeOverFrom(peer: NodeId): Promise<void> {
    const { rpc, isLiving, container } = this.families.options;
    for (
      let attempt = 1;
      !this.families.isClosed && isLiving(peer);
      attempt++, await delay(AGAIN_MILLISECONDS, undefined, { ref: false })
    ) {
      try {
        const { families } = await rpc.call(peer, bornCall, {}, { deadlineMs: ANSWER_MILLISECONDS });
        for (const family of families) {
          for (const pid of family.moving) this.families.directory.moved(pid, rpc.id, peer);
          using _ = container.foreignPids.admit();
          await this.makeHusks(family);
        }
        return;
      } catch (error) {
        if (!(error instanceof KorriganError)) throw error;
        // The peer is being started, or a relative has just changed.
        if (attempt % ATTEMPTS === 0) this.families.complain(error, 'pids of an earlier container of this node are not taken yet');
      }
    }
  }
}
