/** Breaks of the hand-over that only the simulator makes. */
import { stepSource, stepTarget } from '../src/epm/index.ts';
import type { Decide } from './move-engines.ts';

export const HAND_OVER_MUTATIONS = {
  'vote-not-awaited': 'the source decides when it is asked, before the target has voted',
  'abort-after-decision': 'the source gives a move up that it has decided, when the link is lost',
  'run-before-decision': 'the target lets the copy run when it is complete',
  'discard-after-vote': 'the target gives its copy up when the link is lost after its vote',
  'vote-not-repeated': 'the target does not ask again',
  'decision-not-repeated': 'the source does not tell its decision again',
  'death-not-heard': 'the death of the other side decides nothing',
  'death-of-source-discards': 'the target gives its copy up when the source is dead',
} as const;

export type HandOverMutation = keyof typeof HAND_OVER_MUTATIONS;

export function breakHandOver(mutation: string | undefined): Decide {
  const intact: Decide = { stepSource, stepTarget };
  switch (mutation as HandOverMutation | undefined) {
    case undefined:
      return intact;
    case 'vote-not-awaited':
      return {
        ...intact,
        stepSource: (state, event) =>
          state === 'frozen' && event.kind === 'failed'
            ? { state: 'committed', effects: [{ kind: 'send', message: 'commit' }] }
            : stepSource(state, event),
      };
    case 'abort-after-decision':
      return {
        ...intact,
        stepSource: (state, event) =>
          state === 'committed' && event.kind === 'restarted'
            ? { state: 'aborted', effects: [{ kind: 'resume' }, { kind: 'send', message: 'abort' }] }
            : stepSource(state, event),
      };
    case 'run-before-decision':
      return {
        ...intact,
        stepTarget: (state, event) => {
          const step = stepTarget(state, event);
          return step.state === 'imported' && state === 'preparing' ? { ...step, effects: [{ kind: 'run' }, ...step.effects] } : step;
        },
      };
    case 'discard-after-vote':
      return {
        ...intact,
        stepTarget: (state, event) =>
          state === 'imported' && event.kind === 'restarted'
            ? { state: 'discarded', effects: [{ kind: 'discard' }] }
            : stepTarget(state, event),
      };
    case 'vote-not-repeated':
      return {
        ...intact,
        stepTarget: (state, event) =>
          state === 'imported' && (event.kind === 'message' || event.kind === 'tick') ? { state, effects: [] } : stepTarget(state, event),
      };
    case 'decision-not-repeated':
      return {
        ...intact,
        stepSource: (state, event) =>
          state === 'committed' && event.kind === 'restarted' ? { state: 'done', effects: [] } : stepSource(state, event),
      };
    case 'death-not-heard':
      return {
        stepSource: (state, event) => stepSource(state, event.kind === 'peer-dead' ? { kind: 'tick' } : event),
        stepTarget: (state, event) => stepTarget(state, event.kind === 'peer-dead' ? { kind: 'tick' } : event),
      };
    case 'death-of-source-discards':
      return {
        ...intact,
        stepTarget: (state, event) =>
          state === 'imported' && event.kind === 'peer-dead'
            ? { state: 'discarded', effects: [{ kind: 'discard' }] }
            : stepTarget(state, event),
      };
  }
}
