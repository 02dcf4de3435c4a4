/** `krg top` on a terminal: keys, looks, events and orders, joined by the state. */
import { StringDecoder } from 'node:string_decoder';
import type { ReadStream, WriteStream } from 'node:tty';
import { enterRawMode } from '../terminal.ts';
import { carryOut } from './actions.ts';
import { Feed, type FeedOptions } from './feed.ts';
import { FullScreen } from './full-screen.ts';
import { press } from './input.ts';
import { decodeKeys } from './keys.ts';
import { pictureOf } from './rates.ts';
import { settle, withPicture } from './selection.ts';
import { type Effect, type TopState, withEvent } from './state.ts';
import { render } from './text.ts';
import { topLines } from './view.ts';
import type { ClusterUsage } from '../../node/api/index.ts';

/** An escape is the key of that name when nothing follows it so soon. */
const ESCAPE_MILLISECONDS = 60;
const SECOND = 1000;
const NOT_STOPPED_MILLISECONDS = 200;
/** How long a message stays when no key is pressed. */
const MESSAGE_MILLISECONDS = 8000;

export interface SessionOptions {
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly nodes: FeedOptions['nodes'];
  readonly state: TopState;
  /** How many looks; then it ends. */
  readonly iterations: number;
}

export class TopSession {
  readonly #options: SessionOptions;
  readonly #screen: FullScreen;
  readonly #feed: Feed;
  readonly #ended = Promise.withResolvers<void>();
  #state: TopState;
  #leaveRawMode: () => void = () => undefined;
  #before: ClusterUsage | undefined;
  #wakeLooker: () => void = () => undefined;
  #drawing: NodeJS.Immediate | undefined;
  #typed = '';
  #escape: NodeJS.Timeout | undefined;
  #isShown = false;
  /** The terminal is given back even if this program fails. */
  readonly #onExit = (): void => this.#screen.leave();

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#state = options.state;
    this.#screen = new FullScreen(options.stdout);
    this.#feed = new Feed({
      nodes: options.nodes,
      onEvent: (event) => this.#become(withEvent(this.#state, event)),
      onSilence: () => this.#become({ ...this.#state, silentSince: this.#state.silentSince ?? Date.now() }),
    });
  }

  /** Until the user ends it. @throws KorriganError KRG_NO_DAEMON when nobody answers at the start */
  async run(): Promise<void> {
    // Before the screen is taken: a failure is told as any other command tells it.
    const first = await this.#feed.look(true);
    const decoder = new StringDecoder('utf8');
    const { stdin, stdout } = this.#options;
    const onData = (bytes: Buffer): void => this.#type(decoder.write(bytes));
    const onResize = (): void => this.#resize();
    // Whoever stopped it may have left the terminal in any state.
    const onContinue = (): void => {
      this.#hide();
      this.#show();
    };
    const onEnd = (): void => this.#ended.resolve();
    this.#show();
    stdin.on('data', onData);
    stdin.on('end', onEnd);
    stdout.on('resize', onResize);
    process.on('SIGCONT', onContinue);
    for (const signal of ENDING) process.on(signal, onEnd);
    // Seconds of silence are counted on the screen.
    const second = setInterval(() => this.#draw(), SECOND);
    try {
      this.#take(first);
      await Promise.race([this.#ended.promise, this.#look(), this.#feed.follow()]);
    } finally {
      clearInterval(second);
      clearTimeout(this.#escape);
      clearImmediate(this.#drawing);
      this.#feed[Symbol.dispose]();
      stdin.off('data', onData);
      stdin.off('end', onEnd);
      stdin.pause();
      stdout.off('resize', onResize);
      process.off('SIGCONT', onContinue);
      for (const signal of ENDING) process.off(signal, onEnd);
      this.#hide();
    }
  }

  async #look(): Promise<void> {
    for (let left = this.#options.iterations - 1; left > 0; left--) {
      await this.#pause();
      this.#take(await this.#feed.look());
    }
    await this.#pause();
  }

  /** Until it is time to look again, or somebody asks for it. */
  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wakeLooker = resolve;
    const { isPaused, delayMilliseconds } = this.#state;
    const timer = isPaused ? undefined : setTimeout(resolve, delayMilliseconds);
    await promise;
    clearTimeout(timer);
    // Who stands still has been told to while the timer ran.
    if (this.#state.isPaused || !this.#isShown) await this.#pause();
  }

  #take(usage: ClusterUsage): void {
    this.#become(withPicture(this.#state, pictureOf(this.#before, usage, Date.now())));
    this.#before = usage;
  }

  #type(text: string): void {
    clearTimeout(this.#escape);
    const { keys, rest } = decodeKeys(this.#typed + text);
    this.#typed = rest;
    for (const key of keys) this.#press(key);
    if (rest !== '')
      this.#escape = setTimeout(() => {
        this.#typed = '';
        this.#press('escape');
      }, ESCAPE_MILLISECONDS);
  }

  #press(key: string): void {
    const { state, effects } = press(this.#state, key);
    this.#become(state);
    for (const effect of effects) this.#follow(effect);
  }

  #follow(effect: Effect): void {
    switch (effect.kind) {
      case 'quit':
        this.#ended.resolve();
        return;
      case 'look':
        this.#wakeLooker();
        return;
      case 'redraw':
        this.#screen.forget();
        this.#draw();
        return;
      case 'suspend':
        this.#hide();
        // The whole job, as the terminal would. One without a shell is not stopped, and is here at once.
        process.kill(0, 'SIGTSTP');
        setTimeout(() => this.#show(), NOT_STOPPED_MILLISECONDS).unref();
        return;
      default: {
        this.#become({ ...this.#state, busy: this.#state.busy + 1 });
        carryOut(this.#feed.client, effect).then(
          (outcome) => {
            this.#become({ ...this.#state, busy: this.#state.busy - 1, ...outcome });
            this.#wakeLooker();
          },
          (error: unknown) => this.#ended.reject(error as Error),
        );
      }
    }
  }

  #become(state: TopState): void {
    const { message } = state;
    if (message !== undefined && message !== this.#state.message)
      setTimeout(() => {
        if (this.#state.message === message) this.#become({ ...this.#state, message: undefined });
      }, MESSAGE_MILLISECONDS).unref();
    this.#state = state;
    this.#draw();
  }

  /** Once, however much has changed at a time. */
  #draw(): void {
    this.#drawing ??= setImmediate(() => {
      this.#drawing = undefined;
      if (!this.#isShown) return;
      const { colours } = this.#state.style;
      this.#screen.draw(topLines(this.#state, Date.now()).map((line) => render(line, colours)));
    });
  }

  #resize(): void {
    const { columns, rows } = this.#options.stdout;
    this.#screen.forget();
    this.#become(settle({ ...this.#state, size: { columns, rows } }));
  }

  #show(): void {
    if (this.#isShown) return;
    this.#isShown = true;
    this.#leaveRawMode = enterRawMode(this.#options.stdin);
    process.on('exit', this.#onExit);
    this.#screen.enter();
    this.#resize();
    this.#wakeLooker();
  }

  #hide(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    process.off('exit', this.#onExit);
    this.#screen.leave();
    this.#leaveRawMode();
  }
}

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
