/** What the keys of a terminal send, as names. Pure. */

/** Codes of xterm, rxvt, the Linux console, screen and tmux: after `ESC [`, `ESC O`. */
const SEQUENCES: Readonly<Record<string, string>> = {
  '[A': 'up',
  '[B': 'down',
  '[C': 'right',
  '[D': 'left',
  OA: 'up',
  OB: 'down',
  OC: 'right',
  OD: 'left',
  '[H': 'home',
  '[F': 'end',
  OH: 'home',
  OF: 'end',
  '[1~': 'home',
  '[7~': 'home',
  '[4~': 'end',
  '[8~': 'end',
  '[3~': 'delete',
  '[5~': 'pageup',
  '[6~': 'pagedown',
  OP: 'f1',
  OQ: 'f2',
  OR: 'f3',
  OS: 'f4',
  '[11~': 'f1',
  '[12~': 'f2',
  '[13~': 'f3',
  '[14~': 'f4',
  '[[A': 'f1',
  '[[B': 'f2',
  '[[C': 'f3',
  '[[D': 'f4',
  '[[E': 'f5',
  '[15~': 'f5',
  '[17~': 'f6',
  '[18~': 'f7',
  '[19~': 'f8',
  '[20~': 'f9',
  '[21~': 'f10',
};

const NAMES: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\b': 'backspace',
  '\u007f': 'backspace',
};

const ESCAPE = '\u001b';
/** One of a key, whole: CSI with parameters, SS3, or the Linux console's function keys. */
// oxlint-disable-next-line no-control-regex -- it is what terminals send
const WHOLE = /^\u001b(?:\[\[[A-E]|\[[\d;?<]*[@-Z\\^-~]|O[@-~])/;
/** The beginning of one. */
// oxlint-disable-next-line no-control-regex -- it is what terminals send
const BEGINNING = /^\u001b(?:\[\[?|\[[\d;?<]*|O)?$/;

/**
 * @param text what came, after what was left of it the time before
 * @returns keys, a printable character as itself, and what may be the beginning of one: an escape alone is one when nothing follows soon
 */
export function decodeKeys(text: string): { readonly keys: readonly string[]; readonly rest: string } {
  const keys: string[] = [];
  for (let at = 0; at < text.length; ) {
    const left = text.slice(at);
    if (left.startsWith(ESCAPE)) {
      if (BEGINNING.test(left)) return { keys, rest: left };
      const whole = WHOLE.exec(left)?.[0];
      const key = whole === undefined ? 'escape' : SEQUENCES[withoutModifiers(whole.slice(1))];
      if (key !== undefined) keys.push(key);
      at += whole?.length ?? 1;
      continue;
    }
    const [character = ''] = left;
    keys.push(nameOf(character));
    at += character.length;
  }
  return { keys, rest: '' };
}

/** `[1;5A` is `[A`, and `[5;2~` is `[5~`. */
function withoutModifiers(sequence: string): string {
  return sequence.replace(/^\[1;\d+(?=[A-Z])/, '[').replace(/;\d+~$/, '~');
}

function nameOf(character: string): string {
  const name = NAMES[character];
  if (name !== undefined) return name;
  const code = character.codePointAt(0) ?? 0;
  return code < 0x20 ? `ctrl-${String.fromCodePoint(code + 0x60)}` : character;
}
