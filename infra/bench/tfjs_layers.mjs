// What a TensorFlow.js user writes: ResNet-20 by `tf.layers`, trained by `trainOnBatch`, on the package's own binary. Prints one
// line of JSON with the keys of `trainer bench step --json`.
//
//   node tfjs_layers.mjs FOLDER BATCH STEPS      FOLDER: where @tensorflow/tfjs-node is installed
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [folder, batchSize, steps] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const tf = createRequire(join(folder, 'package.json'))('@tensorflow/tfjs-node');
const WARMUP_STEPS = 3;

const convolution = (x, filters, kernelSize, strides) => {
  const options = { filters, kernelSize, strides, padding: 'same', useBias: false, kernelInitializer: 'heNormal' };
  return tf.layers.batchNormalization().apply(tf.layers.conv2d(options).apply(x));
};
const relu = (x) => tf.layers.reLU().apply(x);

function block(x, filters, strides) {
  const branch = convolution(relu(convolution(x, filters, 3, strides)), filters, 3, 1);
  const shortcut = strides === 1 && x.shape[3] === filters ? x : convolution(x, filters, 1, strides);
  return relu(tf.layers.add().apply([branch, shortcut]));
}

const inputs = tf.input({ shape: [32, 32, 3] });
let x = relu(convolution(inputs, 16, 3, 1));
[16, 32, 64].forEach((filters, stage) => {
  for (let i = 0; i < 3; i++) x = block(x, filters, stage > 0 && i === 0 ? 2 : 1);
});
const outputs = tf.layers.dense({ units: 10, activation: 'softmax' }).apply(tf.layers.globalAveragePooling2d({}).apply(x));
const model = tf.model({ inputs, outputs });
model.compile({ optimizer: tf.train.momentum(0.01, 0.9), loss: 'categoricalCrossentropy' });

const images = tf.randomNormal([batchSize, 32, 32, 3]);
const labels = tf.oneHot(
  tf.tensor1d(
    Array.from({ length: batchSize }, (_, i) => i % 10),
    'int32',
  ),
  10,
);
const times = [];
for (let i = 0; i < WARMUP_STEPS + steps; i++) {
  const began = performance.now();
  await model.trainOnBatch(images, labels);
  times.push(performance.now() - began);
}
const sorted = times.slice(WARMUP_STEPS).sort((a, b) => a - b);
const median = sorted[sorted.length >> 1];
const perSecond = (ms) => Number(((batchSize * 1e3) / ms).toFixed(1));
console.log(
  JSON.stringify({
    images_per_sec_median: perSecond(median),
    images_per_sec_best: perSecond(sorted[0]),
    step_ms_median: Number(median.toFixed(2)),
    batch_size: batchSize,
    depth: 20,
    precision: 'fp32',
    engine: `TensorFlow.js ${tf.version.tfjs}`,
    warmup_ms: Math.round(times.slice(0, WARMUP_STEPS).reduce((a, b) => a + b, 0)),
    peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
  }),
);
