/** A picture of how costs grow with the number of nodes: both axes by powers of ten. */

export interface Line {
  readonly name: string;
  readonly colour: string;
  /** Nodes, and the cost. */
  readonly points: readonly (readonly [number, number])[];
}

const WIDTH = 720;
const HEIGHT = 420;
const LEFT = 80;
const RIGHT = 250;
const TOP = 20;
const BOTTOM = 50;

/** @returns an SVG image */
export function plot(lines: readonly Line[]): string {
  const all = lines.flatMap(({ points }) => points);
  const powers = (values: readonly number[]): [number, number] => [
    Math.floor(Math.log10(Math.min(...values))),
    Math.ceil(Math.log10(Math.max(...values))),
  ];
  const [left, right] = powers(all.map(([nodes]) => nodes));
  const [low, high] = powers(all.map(([, cost]) => cost));
  const x = (nodes: number): number => LEFT + ((Math.log10(nodes) - left) / (right - left)) * (WIDTH - LEFT - RIGHT);
  const y = (cost: number): number => HEIGHT - BOTTOM - ((Math.log10(cost) - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const text = (at: number, down: number, anchor: string, words: string): string =>
    `<text x="${at}" y="${down}" text-anchor="${anchor}">${words}</text>`;
  const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => 10 ** (from + n));
  const grid = [
    ...range(left, right).flatMap((nodes) => [
      `<path d="M${x(nodes)} ${TOP}V${HEIGHT - BOTTOM}" stroke="#ddd"/>`,
      text(x(nodes), HEIGHT - BOTTOM + 18, 'middle', nodes.toLocaleString('en')),
    ]),
    ...range(low, high).flatMap((cost) => [
      `<path d="M${LEFT} ${y(cost)}H${WIDTH - RIGHT}" stroke="#ddd"/>`,
      text(LEFT - 6, y(cost) + 4, 'end', cost.toLocaleString('en')),
    ]),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, 'middle', 'nodes'),
  ];
  const drawn = lines.flatMap(({ name, colour, points }, index) => {
    const places = points.map(([nodes, cost]) => [x(nodes).toFixed(1), y(cost).toFixed(1)] as const);
    return [
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${places.map((place) => place.join()).join(' ')}"/>`,
      ...places.map(([across, down]) => `<circle cx="${across}" cy="${down}" r="3" fill="${colour}"/>`),
      `<path d="M${WIDTH - RIGHT + 14} ${TOP + 14 + 22 * index}h22" stroke="${colour}" stroke-width="3"/>`,
      text(WIDTH - RIGHT + 42, TOP + 18 + 22 * index, 'start', name),
    ];
  });
  const style = '<style>text{font:12px sans-serif;fill:#333}</style><rect width="100%" height="100%" fill="white"/>';
  const size = `viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${style}\n${[...grid, ...drawn].join('\n')}\n</svg>\n`;
}
