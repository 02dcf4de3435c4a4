/** The linkers of simulated sets: an object is a number, 0 at first. */
import { type IoLinker, LATER } from '../src/kddm/index.ts';

function numberLinker(name: string, isSlow: boolean, onPut: (value: number) => void): IoLinker<number> {
  return {
    name,
    firstTouch: () => (isSlow ? LATER : 0),
    exportObject: (content) => {
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setUint32(0, content);
      return bytes;
    },
    importObject: (bytes) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0),
    putObject: (_, content) => onPut(content),
    ...(isSlow && { syncObject: () => LATER }),
  };
}

/** @param onPut is told the content of everything that is put */
export function linkers(onPut: (value: number) => void): IoLinker<unknown>[] {
  return [numberLinker('number', false, onPut), numberLinker('slow', true, onPut)] as IoLinker<unknown>[];
}
