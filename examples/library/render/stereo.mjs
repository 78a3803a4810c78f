/** Two channels of samples, full scale at 1. */
export class Stereo {
  constructor(length) {
    this.left = new Float64Array(length);
    this.right = new Float64Array(length);
  }

  get length() {
    return this.left.length;
  }

  get channels() {
    return [this.left, this.right];
  }

  /** Lays a mono sound down at a sample, panned from -1 (left) to 1 (right) at equal power. */
  place(mono, at, pan, gain) {
    const angle = ((pan + 1) * Math.PI) / 4;
    const gainLeft = gain * Math.cos(angle);
    const gainRight = gain * Math.sin(angle);
    const count = Math.min(mono.length, this.length - at);
    for (let i = 0; i < count; i++) {
      this.left[at + i] += gainLeft * mono[i];
      this.right[at + i] += gainRight * mono[i];
    }
  }

  /** Adds another stereo sound of the same length. */
  add(other, gain) {
    for (let i = 0; i < this.length; i++) {
      this.left[i] += gain * other.left[i];
      this.right[i] += gain * other.right[i];
    }
  }

  /** Multiplies both channels by a gain that may change with time. */
  shape(gainAt) {
    for (let i = 0; i < this.length; i++) {
      const gain = gainAt(i);
      this.left[i] *= gain;
      this.right[i] *= gain;
    }
  }

  /** The largest absolute sample. */
  peak() {
    let peak = 0;
    for (const channel of this.channels) {
      for (const sample of channel) peak = Math.max(peak, Math.abs(sample));
    }
    return peak;
  }
}
