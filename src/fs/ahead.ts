/**
 * Open files that are captured while their processes still run, so that the freeze has only to find that nothing but positions has changed. For
 * processes all of whose files are named ones: those stay what they are while they stay open.
 */
import { KorriganError } from '../linux/index.ts';
import type { CaptureOptions } from './capture.ts';
import { captureDescriptions, captureTable, Context } from './descriptions.ts';
import type { FilesImage } from './image.ts';
import { Outside } from './outside.ts';
import { Recheck } from './recheck.ts';
import { findSharedTables, Survey } from './survey.ts';

/** New position of a description, by its id. */
export type Position = [description: number, position: number];

/** Holds duplicates of all descriptions until it is closed, which delays what the last close of a file does: it is made just before the freeze. */
export class FilesAhead {
  readonly image: FilesImage;
  private readonly options: CaptureOptions;
  private readonly survey: Survey;
  private readonly recheck: Recheck;

  private constructor(options: CaptureOptions, survey: Survey, image: FilesImage) {
    this.options = options;
    this.survey = survey;
    this.image = image;
    this.recheck = new Recheck(survey, image.processes);
  }

  /** @returns undefined when a file is of a kind that only a frozen process tells about, or cannot move; nothing is held then */
  static capture(options: CaptureOptions): FilesAhead | undefined {
    const survey = new Survey(options.processes);
    let ahead: FilesAhead | undefined;
    try {
      const image = captureSteady(options, survey);
      if (image !== undefined) ahead = new FilesAhead(options, survey, image);
    } finally {
      if (ahead === undefined) survey.close();
    }
    return ahead;
  }

  /**
   * Inside the freeze, once. What it leaves out is {@link FilesAhead.verify}'s.
   * @returns the positions that differ from the image; undefined when more than that has changed
   */
  changes(): Position[] | undefined {
    return this.recheck.findPositions();
  }

  /**
   * Inside the freeze, before the decision: what takes longer and is seldom otherwise.
   * @throws KorriganError KRG_PROCESS_BUSY
   */
  verify(): void {
    const { processes, others } = this.options;
    const shared = findSharedTables(processes, []);
    if (shared !== undefined) throw new KorriganError('KRG_NOT_MOVABLE', `the process cannot move now: ${shared.message}`);
    const outside = new Outside(this.survey.files, others);
    const isHeldElsewhere = this.survey.files.some((file) => outside.of(file).description.length > 0);
    if (isHeldElsewhere || !this.recheck.detailsAreUnchanged()) {
      throw new KorriganError('KRG_PROCESS_BUSY', 'the process changed its open files while the move was being prepared; try again');
    }
  }

  close(): void {
    this.survey.close();
  }
}

function captureSteady(options: CaptureOptions, survey: Survey): FilesImage | undefined {
  const { files, tables } = survey;
  if (findSharedTables(options.processes, []) !== undefined) return undefined;
  if (files.some(({ owner, hasLease, hasLock }) => owner !== undefined || hasLease || hasLock)) return undefined;
  const context = new Context(options, survey, false);
  const kinds = files.map((file) => options.kinds.find((kind) => kind.matches(file, context)));
  if (kinds.some((kind) => kind?.isSteady === undefined)) return undefined;
  if (files.some((file) => context.outside(file).description.length > 0)) return undefined;
  const descriptions = captureDescriptions(options.kinds, context, files).flatMap((outcome, n) => {
    const file = files[n];
    if ('error' in outcome || file === undefined) return [];
    return kinds[n]?.isSteady?.(outcome.value.description.state, file) === true ? [outcome.value.description] : [];
  });
  if (descriptions.length < files.length) return undefined;
  return { objects: [], descriptions, processes: tables.map((table) => captureTable(table, context)) };
}
