/** The program of the demo and the proof that it lost nothing. */
import { join } from 'node:path';

/**
 * A pipeline of three processes that counts until it is told to stop. $1 is its directory. Pauses by a read that times out on a FIFO:
 * bash alone, without a child for each pause.
 */
const PROGRAM = `mkfifo "$1/clock"
exec 3<>"$1/clock"
i=0
while [ ! -e "$1/stop" ]; do
  i=$((i + 1))
  echo "$i"
  read -t 0.05 -u 3
done | tee "$1/numbers" >/dev/null
echo end >>"$1/numbers"`;

const END = 'end';

export function countingArguments(directory: string): string[] {
  return ['bash', '-c', PROGRAM, 'counting', directory];
}

export const numbersPath = (directory: string): string => join(directory, 'numbers');
/** The program ends when this file exists. */
export const stopPath = (directory: string): string => join(directory, 'stop');

export interface Count {
  /** How many numbers there are, good or bad. */
  readonly numbers: number;
  /** The first place where the file is not what a program that was never moved would have written. */
  readonly fault: string | undefined;
  /** Whether the program wrote its last line. */
  readonly ended: boolean;
}

/** Looks at every line: they must be 1, 2, 3 … and nothing else. A last line without newline is still being written. */
export function examineNumbers(text: string): Count {
  const lines = text.split('\n').slice(0, -1);
  const ended = lines.at(-1) === END;
  const numbers = ended ? lines.slice(0, -1) : lines;
  const wrong = numbers.findIndex((line, index) => line !== String(index + 1));
  const fault = wrong < 0 ? undefined : `line ${wrong + 1} is ${JSON.stringify(numbers[wrong])}`;
  return { numbers: numbers.length, fault, ended };
}
