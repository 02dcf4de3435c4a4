/**
 * The layout of the running kernel's own structures, from its type information in /sys/kernel/btf/vmlinux
 * (Documentation/bpf/btf.rst). Every distribution's kernel has it since Linux 5.4 (CONFIG_DEBUG_INFO_BTF).
 */
import { readFileSync } from 'node:fs';

const PATH = '/sys/kernel/btf/vmlinux';
const KIND = { array: 3, structure: 4, union: 5, typedef: 8, volatile: 9, constant: 10, restrict: 11, function: 12, tag: 18 } as const;
/** Modifiers that lead to the type they qualify. */
const QUALIFIERS: ReadonlySet<number> = new Set([KIND.typedef, KIND.volatile, KIND.constant, KIND.restrict, KIND.tag]);
/** Words that follow a type of this kind: once, and for each of its members. Kinds that are not here have none. */
const EXTRA: Readonly<Record<number, readonly [once: number, each: number]>> = {
  1: [1, 0], // integer
  3: [3, 0], // array
  4: [0, 3], // structure
  5: [0, 3], // union
  6: [0, 2], // enumeration
  13: [0, 2], // prototype of a function
  14: [1, 0], // variable
  15: [0, 3], // data section
  17: [1, 0], // declaration tag
  19: [0, 3], // enumeration of 64 bits
};

/** Where a member stands in its structure, bytes. */
interface Member {
  readonly offset: number;
  readonly type: number;
}

export class KernelTypes {
  private readonly words: Uint32Array;
  private readonly strings: Buffer;
  /** Index of each type in `words`, by type id. */
  private readonly starts: Uint32Array;
  private readonly named = new Map<string, number>();

  /**
   * Reads all types, 50 ms; keep what you learn and not the object.
   * @param names structures and functions that will be asked for
   * @throws ErrnoException ENOENT when the kernel has no type information
   */
  constructor(names: readonly string[]) {
    const file = readFileSync(PATH);
    const view = new DataView(file.buffer, file.byteOffset, file.length);
    // struct btf_header: u16 magic, u8 version, u8 flags, u32 hdr_len, u32 type_off, u32 type_len, u32 str_off, u32 str_len
    const body = view.getUint32(4, true);
    const types = file.byteOffset + body + view.getUint32(8, true);
    this.words = new Uint32Array(file.buffer.slice(types, types + view.getUint32(12, true)));
    this.strings = file.subarray(body + view.getUint32(16, true));
    this.starts = this.index(new Set(names));
  }

  /** The type id of a structure or function. @throws RangeError when this kernel has none of that name */
  id(name: string): number {
    const id = this.named.get(name);
    if (id === undefined) throw new RangeError(`this kernel has no type ${name}`);
    return id;
  }

  /** Offset of a member, e.g. `offset('task_struct', 'thread.sp')`. Members of unnamed parts are members. @throws RangeError */
  offset(structure: string, path: string): number {
    let found: Member | undefined = { offset: 0, type: this.id(structure) };
    let offset = 0;
    for (const name of path.split('.')) {
      found = this.member(found.type, name);
      if (found === undefined) throw new RangeError(`this kernel's ${structure} has no ${path}`);
      offset += found.offset;
    }
    return offset;
  }

  /** As {@link KernelTypes.offset}; undefined where this kernel was built without it. */
  optionalOffset(structure: string, path: string): number | undefined {
    try {
      return this.offset(structure, path);
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  /** Bytes of a structure; undefined where this kernel was built without it. */
  size(structure: string): number | undefined {
    const id = this.named.get(structure);
    return id === undefined ? undefined : this.words[(this.starts[id] ?? 0) + 2];
  }

  private index(wanted: ReadonlySet<string>): Uint32Array {
    const { words } = this;
    const starts: number[] = [0];
    for (let at = 0; at < words.length; ) {
      const information = words[at + 1] ?? 0;
      const kind = kindOf(information);
      if (kind === KIND.structure || kind === KIND.function) {
        const name = this.name(words[at] ?? 0);
        if (wanted.has(name)) this.named.set(name, starts.length);
      }
      starts.push(at);
      const [once, each] = EXTRA[kind] ?? [0, 0];
      at += 3 + once + each * (information & 0xffff);
    }
    return Uint32Array.from(starts);
  }

  private member(structure: number, wanted: string): Member | undefined {
    const { words } = this;
    const start = this.starts[structure] ?? 0;
    const information = words[start + 1] ?? 0;
    const bitfields = information >>> 31 === 1;
    for (let n = 0; n < (information & 0xffff); n++) {
      const at = start + 3 + 3 * n;
      const position = words[at + 2] ?? 0;
      const offset = (bitfields ? position & 0xffffff : position) / 8;
      const type = this.unqualified(words[at + 1] ?? 0);
      const name = this.name(words[at] ?? 0);
      if (name === wanted) return { offset, type };
      const kind = kindOf(words[(this.starts[type] ?? 0) + 1] ?? 0);
      const inner = name === '' && (kind === KIND.structure || kind === KIND.union) ? this.member(type, wanted) : undefined;
      if (inner !== undefined) return { offset: offset + inner.offset, type: inner.type };
    }
    return undefined;
  }

  private unqualified(type: number): number {
    for (let id = type; ; ) {
      const at = this.starts[id] ?? 0;
      if (!QUALIFIERS.has(kindOf(this.words[at + 1] ?? 0))) return id;
      id = this.words[at + 2] ?? 0;
    }
  }

  private name(offset: number): string {
    return this.strings.toString('latin1', offset, this.strings.indexOf(0, offset));
  }
}

function kindOf(information: number): number {
  return (information >>> 24) & 31;
}
