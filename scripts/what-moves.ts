/**
 * Writes docs/what-moves.md from the registry of feature programs.
 *
 * `node scripts/what-moves.ts` writes the file; `what-moves.test.ts` says when that has to be done.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BEGINS_ANEW, engineMoves } from '../test/engine-features.ts';
import { type Feature, FEATURE_GROUPS, readFeatures } from '../test/features.ts';

export const WHAT_MOVES = join(import.meta.dirname, '..', 'docs', 'what-moves.md');

const INTRODUCTION = `# What moves

Each row is a kind of state that a small C program in \`test/programs/features\` holds, has moved under it, and then checks itself. Where losing
the state can be imitated, another test proves that the program notices the loss. This file is made by \`scripts/what-moves.ts\` from the programs' own first lines.

*Engine*: \`test/engine-features.test.ts\` exports the program, ends it, and imports it into another pid namespace, with nothing but the ghost engine.
"anew" marks a wait that begins from its start again, which its test counts as still to be done. Rows without a mark hold descriptors or have relatives, which takes the nodes of a cluster.
`;

const GROUPS = Object.entries(FEATURE_GROUPS);

function engineCell(feature: Feature): string {
  if (!engineMoves(feature)) return '';
  return BEGINS_ANEW.has(feature.name) ? 'anew' : 'yes';
}

const escaped = (text: string): string => text.replaceAll('|', String.raw`\|`);

/** The document for these programs. Pure. */
export function describeWhatMoves(features: readonly Feature[]): string {
  const sections = GROUPS.flatMap(([group, title]) => {
    const rows = features.filter((feature) => feature.group === group);
    if (rows.length === 0) return [];
    const table = rows.map((feature) => `| \`${feature.name}\` | ${escaped(feature.what)} | ${engineCell(feature)} |`);
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
