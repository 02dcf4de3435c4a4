/** What a ghost worker asks its daemon's main thread about relays. */
import type { MessagePort } from 'node:worker_threads';
import { KorriganError } from '../linux/index.ts';
import type { ArrivedRelay, NewRelay, RelayService, RelayState } from '../streams/index.ts';
import { answer, ask, type Asked } from './questions.ts';

export type RelayQuestion =
  | { kind: 'begin'; relay: NewRelay }
  | { kind: 'stop'; id: string }
  | { kind: 'come-home'; state: RelayState; waiting: number }
  | { kind: 'arriving'; relays: readonly ArrivedRelay[] };

export interface RelayAnswer {
  state?: RelayState | undefined;
  /** Descriptor of pid 1. */
  original?: number | undefined;
}

export interface AskedAboutRelay extends Asked {
  kind: 'relay';
  question: RelayQuestion;
}

const ANSWER_MILLISECONDS = 10_000;

/** On the worker's thread. @param post hands a message and what must be transferred with it to the main thread */
export function askAboutRelay(question: RelayQuestion, post: (message: AskedAboutRelay, transfer: MessagePort[]) => void): RelayAnswer {
  return ask((asked, transfer) => post({ kind: 'relay', question, ...asked }, transfer), ANSWER_MILLISECONDS) as RelayAnswer;
}

function carryOut(question: RelayQuestion, migration: string, relays: RelayService): RelayAnswer {
  switch (question.kind) {
    case 'begin':
      relays.begin(migration, question.relay);
      return {};
    case 'stop':
      return { state: relays.stop(migration, question.id) };
    case 'come-home':
      return { original: relays.comeHome(migration, question.state, question.waiting) };
    case 'arriving':
      relays.arriving(migration, question.relays);
      return {};
  }
}

/** On the main thread. */
export function answerAboutRelay(asked: AskedAboutRelay, migration: string, relays: RelayService): void {
  void answer(asked, () => {
    try {
      return carryOut(asked.question, migration, relays);
    } catch (error) {
      throw new KorriganError('KRG_INTERNAL', `a relay could not be prepared: ${(error as Error).message}`, { cause: error });
    }
  });
}
