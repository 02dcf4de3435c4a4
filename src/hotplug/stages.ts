/**
 * How all modules of a node go from one view of the cluster to the next. Each module that is concerned is a stage; they stand in their order, from below. What is
 * shared stands still meanwhile: frozen from above, so that nobody asks a module below for anything that is frozen already, and resumed from below. New nodes
 * are told from below, too; those that have gone from above.
 */
import type { NodeId } from '../rpc/index.ts';
import { membersOf, type View } from './view.ts';

export interface Transition {
  readonly before: View;
  readonly after: View;
  readonly joined: readonly NodeId[];
  /** Emptied before. */
  readonly left: readonly NodeId[];
  /** What ran there, and was there alone, is lost. */
  readonly died: readonly NodeId[];
  /** Their daemons ended and others took their places: what was in their memory alone is lost, their containers live. */
  readonly restarted: readonly NodeId[];
}

export interface Stage {
  readonly name: string;
  /** No operation on what is shared begins any more; resolves when those under way have ended or wait for {@link Stage.resume}. */
  readonly freeze?: () => Promise<void>;
  readonly change?: (transition: Transition) => Promise<void>;
  readonly resume?: () => Promise<void>;
}

/** Undefined when the same nodes, in the same lives and with the same daemons, take part, and in the same epoch. */
export function transitionOf(before: View, after: View): Transition | undefined {
  const lives = (view: View): Map<NodeId, string> => {
    const members = new Set(membersOf(view));
    return new Map(view.nodes.filter(({ id }) => members.has(id)).map(({ id, life }) => [id, life]));
  };
  const [earlier, now] = [lives(before), lives(after)];
  const isSame = (id: NodeId): boolean => now.has(id) && (earlier.get(id) === '' || now.get(id) === earlier.get(id));
  const gone = [...earlier.keys()].filter((id) => !isSame(id));
  const isLost = (id: NodeId): boolean => after.nodes.find((node) => node.id === id)?.lost === earlier.get(id);
  const daemonOf = ({ nodes }: View, id: NodeId): string | undefined => nodes.find((node) => node.id === id)?.daemon;
  const transition = {
    before,
    after,
    joined: [...now.keys()].filter((id) => !isSame(id)),
    left: gone.filter((id) => !isLost(id)),
    died: gone.filter(isLost),
    restarted: [...now.keys()].filter((id) => isSame(id) && daemonOf(before, id) !== daemonOf(after, id)),
  };
  return before.epoch === after.epoch && transition.joined.length + gone.length === 0 ? undefined : transition;
}

export class Stages {
  private readonly stages: readonly Stage[];
  private isFrozen = false;

  /** @param stages from below */
  constructor(stages: readonly Stage[]) {
    this.stages = stages;
  }

  async freeze(): Promise<void> {
    if (this.isFrozen) return;
    this.isFrozen = true;
    for (const { freeze } of this.stages.toReversed()) await freeze?.();
  }

  async resume(): Promise<void> {
    if (!this.isFrozen) return;
    for (const { resume } of this.stages) await resume?.();
    this.isFrozen = false;
  }

  /** They must be frozen. A stage that fails is a fault of its own; the others go on. @returns the failures, by the name of the stage */
  async change(transition: Transition): Promise<ReadonlyMap<string, unknown>> {
    const failures = new Map<string, unknown>();
    const perform = async (stages: readonly Stage[], part: Transition): Promise<void> => {
      for (const { name, change } of stages) await change?.(part).catch((error: unknown) => failures.set(name, error));
    };
    const { joined, left, died, restarted } = transition;
    if (left.length + died.length + restarted.length > 0 || joined.length === 0)
      await perform(this.stages.toReversed(), { ...transition, joined: [] });
    if (joined.length > 0) await perform(this.stages, { ...transition, left: [], died: [], restarted: [] });
    return failures;
  }
}
