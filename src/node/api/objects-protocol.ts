/**
 * What a program that uses shared objects and its daemon tell each other (POST /v1/objects with `Upgrade: korrigan-objects`): one JSON value per line. Each request has
 * an id and is answered once, when it is done, in any order. What a connection holds is put when it ends; nothing of it outlives it.
 */
import type { ErrorJSON } from '../../linux/errors.ts';
import type { ObjectRequest } from './objects-schemas.ts';

/** The value of the Upgrade header. */
export const OBJECTS_PROTOCOL = 'korrigan-objects';
/** Of an object's content. */
export const CONTENT_LIMIT = 1024 * 1024;
/** Of a line, with a content in base64. */
export const LINE_LIMIT = 2 * CONTENT_LIMIT;

export type { ObjectRequest };

/** `set` after open, `hold` and `content` (base64) after get and grab; neither where there is no such set or object, or (`busy`) it is held. */
export interface ObjectAnswer {
  readonly id: number;
  readonly set?: number;
  readonly hold?: number;
  readonly content?: string;
  readonly busy?: true;
  readonly error?: ErrorJSON;
}

/** Objects that have changed (none: any may have) since the last time, for the request `watch` with this id. */
export interface ObjectNews {
  readonly watch: number;
  readonly objects: readonly number[];
}
