/** Breaks of the membership that only the simulator makes. */
import type { MemberOptions } from './member.ts';
import { beginProposal, answerRequest, FIRST_BALLOT, stepDetector, stepProposal, type RegisterProtocol } from '../src/hotplug/index.ts';

export const MEMBERSHIP_MUTATIONS = {
  'suspicion-not-shared': 'who is silent for one node is dead, whatever the others hear',
  'restart-not-waited': 'a daemon that is started again is as dead as a machine',
  'majority-believed': 'who hears of nobody goes on',
  'promise-not-kept': 'an acceptor accepts what it has promised not to',
  'acceptance-not-told': 'an acceptor does not tell what it has accepted before',
  'one-is-enough': 'a proposal takes the first answer for a majority',
  'not-on-disk': 'an acceptor forgets with its daemon',
  'not-fenced': 'a life that was declared dead comes back',
} as const;

export type MembershipMutation = keyof typeof MEMBERSHIP_MUTATIONS;

const INTACT: RegisterProtocol = { answerRequest, beginProposal, stepProposal };

type Detect = typeof stepDetector;
type Detector = Parameters<Detect>[0];

/** The detector is another one before each step. */
function beforeTick(change: (detector: Detector) => Detector): Detect {
  return (detector, event, now) => stepDetector(event.kind === 'tick' ? change(detector) : detector, event, now);
}

function withPeers(detector: Detector, change: Partial<{ port: undefined; suspects: readonly number[] }>): Detector {
  return { ...detector, peers: new Map([...detector.peers].map(([node, peer]) => [node, { ...peer, ...change }])) };
}

export function breakMembership(mutation: string | undefined): MemberOptions['broken'] {
  switch (mutation as MembershipMutation | undefined) {
    case undefined:
      return {};
    case 'suspicion-not-shared':
      return { detect: beforeTick((detector) => withPeers(detector, { suspects: [...detector.peers.keys()] })) };
    case 'restart-not-waited':
      return { detect: beforeTick((detector) => withPeers(detector, { port: undefined })) };
    case 'majority-believed':
      return {
        detect: (detector, event, now) => {
          const step = stepDetector(detector, event, now);
          return { detector: { ...step.detector, hasMajority: true }, effects: step.effects.filter(({ kind }) => kind !== 'majority') };
        },
      };
    case 'promise-not-kept':
      return { protocol: { ...INTACT, answerRequest: (state, request) => answerRequest({ ...state, promised: FIRST_BALLOT }, request) } };
    case 'acceptance-not-told':
      return {
        protocol: {
          ...INTACT,
          answerRequest: (state, request) => {
            const answer = answerRequest(state, request);
            return answer.reply.kind === 'promised' ? { ...answer, reply: { ...answer.reply, accepted: undefined } } : answer;
          },
        },
      };
    case 'one-is-enough':
      return {
        protocol: {
          ...INTACT,
          stepProposal: (proposal, from, reply, options) =>
            stepProposal(
              proposal.phase !== 'accepting' ? proposal : { ...proposal, quorums: proposal.quorums.map(() => [from]) },
              from,
              reply,
              options,
            ),
        },
      };
    case 'not-on-disk':
      return { hasNoDisk: true };
    case 'not-fenced':
      return { isUnfenced: true };
  }
}
