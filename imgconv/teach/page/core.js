"use strict";
// The arithmetic of imgconv: geometry, sums, levels, rounding. Nothing here knows the page.
//
// A response is kept as a numerator over a denominator. Whole weights make both whole, and then
// every pixel is exact; BigInt takes over where Number would lose a digit. Real weights make real
// numerators over 1.

const MAXIMUM = 255;

/** The sample that stands at a position of an axis of n samples; -1 is the fill value. */
function sourceOf(position, n, border) {
  if (position >= 0 && position < n) return position;
  if (border === "constant") return -1;
  if (border === "edge" || n === 1) return position < 0 ? 0 : n - 1;
  if (border === "wrap") return modulo(position, n);
  // The edge repeated: a period of 2n samples; not repeated: the two ends stand once, 2n - 2.
  const twice = border === "symmetric" ? 1 : 0;
  const folded = modulo(position, 2 * n - 2 + 2 * twice);
  return folded < n ? folded : 2 * n - 2 + twice - folded;
}

function modulo(value, n) {
  return ((value % n) + n) % n;
}

/** One direction of a picture under a kernel; `positions` are those that an output reads. */
function makeAxis(size, taps, before, after, stride, dilation) {
  const span = dilation * (taps - 1) + 1;
  return {
    size, taps, before, after, stride, dilation, span,
    outputs: Math.floor((size + before + after - span) / stride) + 1,
    positions: (index) =>
      Array.from({ length: taps }, (_, tap) => index * stride + tap * dilation - before),
  };
}

/** Both axes; padding is [top, right, bottom, left], or null for "same". */
function makeGeometry(picture, kernel, settings) {
  const [sy, sx] = settings.stride;
  const [dy, dx] = settings.dilation;
  const [rows, columns] = [kernel.weights.length, kernel.weights[0].length];
  const [tall, broad] = [dy * (rows - 1), dx * (columns - 1)];
  const [top, left] = [Math.floor(tall / 2), Math.floor(broad / 2)];
  const [t, r, b, l] = settings.padding || [top, broad - left, tall - top, left];
  return {
    rows: makeAxis(picture.height, rows, t, b, sy, dy),
    columns: makeAxis(picture.width, columns, l, r, sx, dx),
  };
}

/** Number or BigInt, whichever holds all that the kernel can make of samples up to 255. */
function numbersFor(kernel) {
  const { weights, divisor, bias } = kernel;
  const flat = weights.flat();
  const whole = [...flat, divisor, bias].every(Number.isSafeInteger);
  const reach = flat.reduce((sum, w) => sum + Math.abs(w), 0) * MAXIMUM;
  // The levels multiply by 256 and 255, and rounding doubles.
  const largest = 1024 * (reach + Math.abs(bias * divisor) + Math.abs(divisor));
  return { whole, number: whole && largest > Number.MAX_SAFE_INTEGER ? BigInt : Number };
}

/** The numerator of a response whose products have this sum. */
function numeratorOf(sum, kernel, numbers) {
  if (!numbers.whole) return sum / kernel.divisor + kernel.bias;
  const divisor = numbers.number(kernel.divisor);
  const bias = numbers.number(kernel.bias);
  return divisor < 0 ? -sum - bias * divisor : sum + bias * divisor;
}

/** Every response of a picture, channels side by side, over one denominator. */
function respond(picture, kernel, geometry, settings) {
  const numbers = numbersFor(kernel);
  const { number } = numbers;
  const taps = tapsOf(kernel, number);
  const { rows, columns } = geometry;
  const depth = picture.channels;
  const data = number === BigInt ? Array.from(picture.samples, BigInt) : picture.samples;
  const fill = number(settings.fill);
  const at = Array.from({ length: columns.outputs }, (_, j) => sources(columns, j, settings));
  const numerators = new Array(rows.outputs * columns.outputs * depth);
  let index = 0;
  for (let i = 0; i < rows.outputs; i++) {
    const lines = sources(rows, i, settings);
    for (let j = 0; j < columns.outputs; j++) {
      for (let c = 0; c < depth; c++) {
        let sum = number(0);
        for (const { a, b, w } of taps) {
          const [y, x] = [lines[a], at[j][b]];
          sum += w * (y < 0 || x < 0 ? fill : data[(y * picture.width + x) * depth + c]);
        }
        numerators[index++] = numeratorOf(sum, kernel, numbers);
      }
    }
  }
  return { numerators, denominator: numbers.whole ? number(Math.abs(kernel.divisor)) : 1 };
}

function tapsOf(kernel, number) {
  const taps = [];
  kernel.weights.forEach((row, a) => {
    row.forEach((w, b) => {
      if (w !== 0) taps.push({ a, b, w: number(w) });
    });
  });
  return taps;
}

function sources(axis, index, settings) {
  return axis.positions(index).map((p) => sourceOf(p, axis.size, settings.border));
}

/** The least and greatest numerator. */
function endsOf(responses) {
  let [low, high] = [responses.numerators[0], responses.numerators[0]];
  for (const n of responses.numerators) {
    if (n < low) low = n;
    if (n > high) high = n;
  }
  return [low, high];
}

/** A response at its level, as [numerator, denominator], not yet rounded. */
function levelOf(numerator, denominator, levels, ends) {
  const number = typeof numerator === "bigint" ? BigInt : Number;
  if (levels === "abs") return [numerator < 0 ? -numerator : numerator, denominator];
  if (levels === "offset") {
    return [number(MAXIMUM + 1) * denominator + numerator, number(2) * denominator];
  }
  if (levels === "stretch") {
    const [low, high] = ends;
    if (high <= low) return [number(0), number(1)];
    return [(numerator - low) * number(MAXIMUM), high - low];
  }
  return [numerator, denominator];
}

/** Round half to even. The remainder is exact where the division itself would not be. */
function roundHalfEven(numerator, denominator) {
  const big = typeof numerator === "bigint";
  let rest = numerator % denominator;
  if (rest < 0) rest += denominator;
  let floor = (numerator - rest) / denominator;
  if (!big) floor = Math.round(floor);
  const [one, two] = big ? [1n, 2n] : [1, 2];
  // Only 0 is false, of either kind.
  if (rest + rest > denominator || (rest + rest === denominator && floor % two)) floor += one;
  return floor;
}

/** A level as a pixel: rounded once, then cut off. */
function pixelOf([numerator, denominator]) {
  const rounded = roundHalfEven(numerator, denominator);
  return rounded < 0 ? 0 : rounded > MAXIMUM ? MAXIMUM : Number(rounded);
}

/** Every pixel of the responses, and the ends that `stretch` spans. */
function toPixels(responses, levels) {
  const { numerators, denominator } = responses;
  const ends = endsOf(responses);
  const pixels = Uint8ClampedArray.from(numerators, (n) =>
    pixelOf(levelOf(n, denominator, levels, ends)));
  return { pixels, ends };
}

/** What one output reads in a channel: rows of {sample, outside}. */
function windowAt(picture, geometry, settings, x, y, channel) {
  const [rows, columns] = [geometry.rows.positions(y), geometry.columns.positions(x)];
  return rows.map((p) =>
    columns.map((q) => {
      const line = sourceOf(p, picture.height, settings.border);
      const column = sourceOf(q, picture.width, settings.border);
      const index = (line * picture.width + column) * picture.channels + channel;
      return {
        sample: line < 0 || column < 0 ? settings.fill : picture.samples[index],
        outside: p < 0 || q < 0 || p >= picture.height || q >= picture.width,
        line, column,
      };
    }));
}
