/**
 * Writes docs/what-moves.md from the registry of feature programs.
 *
 * `node scripts/what-moves.ts` writes the file; `what-moves.test.ts` says when that has to be done.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { engineMoves } from '../test/engine-features.ts';
import { type Feature, FEATURE_GROUPS, readFeatures } from '../test/features.ts';

export const WHAT_MOVES = join(import.meta.dirname, '..', 'docs', 'what-moves.md');

const INTRODUCTION = `# What moves

Each row is a kind of state that a small C program in \`test/programs/features\` holds, has moved under it, and then checks itself. Where losing
the state can be imitated, another test proves that the program notices the loss. This file is made by \`scripts/what-moves.ts\` from the programs' own first lines.

*Engine*: \`test/engine-features.test.ts\` exports the program, ends it, and imports it into another pid namespace, with nothing but the ghost engine.
Rows without a mark hold descriptors or have relatives, which takes the nodes of a cluster.
`;

const GROUPS = Object.entries(FEATURE_GROUPS);

const escaped = (text: string): string => text.replaceAll('|', String.raw`\|`);

/** The document for these programs. Pure. */
export function describeWhatMoves(features: readonly Feature[]): string {
  const sections = GROUPS.flatMap(([group, title]) => {
    const rows = features.filter((feature) => feature.group === group);
    if (rows.length === 0) return [];
    const table = rows.map((feature) => `| \`${feature.name}\` | ${escaped(feature.what)} | ${engineMoves(feature) ? 'yes' : ''} |`);
    return [`## ${title}`, '', '| Program | State | Engine |', '|---|---|---|', ...table, ''];
  });
  const byEngine = features.filter(engineMoves).length;
  return [INTRODUCTION, `${features.length} programs, ${byEngine} of them moved by the engine alone.`, '', ...sections].join('\n');
}

/** The document as it stands; empty when there is none. */
export function readWhatMoves(): string {
  try {
    return readFileSync(WHAT_MOVES, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return '';
  }
}

if (import.meta.main) writeFileSync(WHAT_MOVES, describeWhatMoves(readFeatures()));
