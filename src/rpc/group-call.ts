/** One call to several nodes at a time, and what counts as success when only some of them answer. */
import { KorriganError, toKorriganError } from '../linux/errors.ts';
import type { NodeId } from './definition.ts';

/**
 * * `all`: every node must answer; the first failure ends the group call with that error, and the other calls are cancelled.
 * * `each`: waits for every outcome; never fails.
 * * `{ atLeast: n }`: ends with the n-th answer, the rest is cancelled; fails as soon as n cannot be reached any more.
 */
export type GroupPolicy = 'all' | 'each' | { readonly atLeast: number };

/** A node stands in exactly one of the two. */
export interface GroupAnswer<Response> {
  readonly answers: ReadonlyMap<NodeId, Response>;
  readonly failures: ReadonlyMap<NodeId, KorriganError>;
}

/** @param call makes the call to one node; it must end when its signal is aborted */
export async function callEach<Response>(
  nodes: Iterable<NodeId>,
  policy: GroupPolicy,
  signal: AbortSignal | undefined,
  call: (node: NodeId, signal: AbortSignal) => Promise<Response>,
): Promise<GroupAnswer<Response>> {
  const wanted = [...new Set(nodes)];
  const needed = policy === 'each' ? 0 : policy === 'all' ? wanted.length : policy.atLeast;
  if (needed > wanted.length)
    throw new KorriganError('KRG_BAD_REQUEST', `${needed} answers are asked of a group of ${wanted.length} nodes`);

  const answers = new Map<NodeId, Response>();
  const failures = new Map<NodeId, KorriganError>();
  const rest = new AbortController();
  const either = signal === undefined ? rest.signal : AbortSignal.any([signal, rest.signal]);
  let decisive: KorriganError | undefined;

  const askOne = async (node: NodeId): Promise<void> => {
    try {
      const response = await call(node, either);
      answers.set(node, response);
      if (policy !== 'each' && answers.size >= needed) rest.abort(new KorriganError('KRG_CANCELLED', 'enough nodes have answered'));
    } catch (error) {
      const failure = toKorriganError(error);
      failures.set(node, failure);
      if (policy === 'each' || rest.signal.aborted || wanted.length - failures.size >= needed) return;
      decisive = failure;
      rest.abort(failure);
    }
  };
  await Promise.all(wanted.map(askOne));
  if (decisive === undefined) return { answers, failures };
  const text = `${answers.size} of ${wanted.length} nodes answered and ${needed} were needed: ${decisive.message}`;
  throw new KorriganError(decisive.code, text, { cause: decisive });
}
