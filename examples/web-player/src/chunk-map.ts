/** Where a chunk came from; `cache`: it was here before. */
export type ChunkTier = 'aula' | 'global' | 'origin' | 'cache';

const TIERS: readonly ChunkTier[] = ['aula', 'global', 'origin', 'cache'];
const GAP_PX = 2;
const LEAST_CELL_PX = 3;

/** The track as a row of its chunks, each in the colour of where it came from, and the playhead over them. */
export class ChunkMap {
  readonly #canvas: HTMLCanvasElement;
  #tiers: (ChunkTier | undefined)[] = [];
  #position = 0;
  #drawing = 0;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** Begins anew with a track of so many chunks. */
  reset(chunks: number): void {
    this.#tiers = Array.from({ length: chunks });
    this.#position = 0;
    this.draw();
  }

  set(chunk: number, tier: ChunkTier): void {
    this.#tiers[chunk] = tier;
    this.draw();
  }

  /** What is held and not known to have come from anywhere was here before; what is not held is not shown. */
  hold(held: readonly number[]): void {
    const holds = new Set(held);
    this.#tiers = this.#tiers.map((tier, chunk) => (holds.has(chunk) ? (tier ?? 'cache') : undefined));
    this.draw();
  }

  /** The playhead, from 0 to 1. */
  set position(position: number) {
    this.#position = position;
    this.draw();
  }

  /** Draws with the next frame. */
  draw(): void {
    if (this.#drawing !== 0) return;
    this.#drawing = requestAnimationFrame(() => {
      this.#drawing = 0;
      this.#paint();
    });
  }

  #paint(): void {
    const { width, height } = this.#canvas.getBoundingClientRect();
    const context = this.#canvas.getContext('2d');
    if (context === null || width === 0) return;
    const scale = devicePixelRatio;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    context.scale(scale, scale);
    const style = getComputedStyle(this.#canvas);
    const colours = new Map(TIERS.map((tier) => [tier, style.getPropertyValue(`--tier-${tier}`)]));
    const count = Math.max(1, this.#tiers.length);
    // Of a long track each cell stands for several chunks, and shows the first.
    const cells = Math.min(count, Math.floor(width / (LEAST_CELL_PX + GAP_PX)));
    const step = width / cells;
    const top = 8;
    const tall = height - 2 * top;
    for (let cell = 0; cell < cells; cell++) {
      const tier = this.#tiers[Math.floor((cell * count) / cells)];
      context.fillStyle = (tier && colours.get(tier)) ?? style.getPropertyValue('--tier-none');
      context.beginPath();
      context.roundRect(cell * step, top, Math.max(1, step - GAP_PX), tall, Math.min(2.5, step / 3));
      context.fill();
    }
    context.fillStyle = style.getPropertyValue('--ink');
    const x = Math.min(width - 2, Math.max(0, this.#position * width - 1));
    context.beginPath();
    context.roundRect(x, 0, 2, height, 1);
    context.fill();
  }
}
