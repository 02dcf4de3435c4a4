/** Calls, notices and streams as data: a name on the wire and the schemas that both ends parse with. */
import type { z } from 'zod';

/** A node's number in its cluster, from 1. */
export type NodeId = number;

/** `control` frames overtake `bulk` frames of the same link. Within a class the order of sending is kept. */
export type Priority = 'control' | 'bulk';

interface Options {
  /** Class of all frames of this conversation. @default 'control' for calls and notices, 'bulk' for streams */
  readonly priority?: Priority;
}

export interface CallDefinition<Request extends z.ZodType, Response extends z.ZodType> {
  readonly kind: 'call';
  readonly name: string;
  readonly request: Request;
  readonly response: Response;
  readonly priority: Priority;
}

export interface NoticeDefinition<Message extends z.ZodType> {
  readonly kind: 'notice';
  readonly name: string;
  readonly message: Message;
  readonly priority: Priority;
  /** It is said again and again: one that cannot be delivered is nothing to tell. */
  readonly isRepeated: boolean;
}

/** In place of a schema: this direction of a stream carries raw bytes, whose division into pieces means nothing. */
export const rawBytes: unique symbol = Symbol('raw bytes');

/** What one direction of a stream carries. */
export type Carried = z.ZodType | typeof rawBytes;

/** What is read from a direction, and what is written to it. */
export type Received<C extends Carried> = C extends z.ZodType ? z.output<C> : Uint8Array;
export type Sent<C extends Carried> = C extends z.ZodType ? z.input<C> : Uint8Array;

export interface StreamDefinition<Request extends z.ZodType, ToHandler extends Carried, ToOpener extends Carried> {
  readonly kind: 'stream';
  readonly name: string;
  readonly request: Request;
  readonly toHandler: ToHandler;
  readonly toOpener: ToOpener;
  readonly priority: Priority;
}

/** A definition of any kind, where only its name and kind matter. */
export interface AnyDefinition {
  readonly kind: 'call' | 'notice' | 'stream';
  readonly name: string;
}

/** A request that is answered once. Names are `module.verb`. */
export function defineCall<Request extends z.ZodType, Response extends z.ZodType>(
  name: string,
  request: Request,
  response: Response,
  options: Options = {},
): CallDefinition<Request, Response> {
  return { kind: 'call', name, request, response, priority: options.priority ?? 'control' };
}

/** A message without an answer. It may be lost with its link. */
export function defineNotice<Message extends z.ZodType>(
  name: string,
  message: Message,
  options: Options & { readonly isRepeated?: boolean } = {},
): NoticeDefinition<Message> {
  const { priority = 'control', isRepeated = false } = options;
  return { kind: 'notice', name, message, priority, isRepeated };
}

/** A conversation: a request, then messages or raw bytes in both directions until both ends have ended. */
export function defineStream<Request extends z.ZodType, ToHandler extends Carried, ToOpener extends Carried>(
  name: string,
  shape: { readonly request: Request; readonly toHandler: ToHandler; readonly toOpener: ToOpener },
  options: Options = {},
): StreamDefinition<Request, ToHandler, ToOpener> {
  return { kind: 'stream', name, ...shape, priority: options.priority ?? 'bulk' };
}
