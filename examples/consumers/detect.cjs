// Detect in JavaScript, in Node or (with onnxruntime-web) in a browser: the file resizes, normalises and does NMS.
//
//   focalcli export --onnx --resize-inside --emit labels -o model.onnx
//   npm install onnxruntime-node        (or onnxruntime-web)
//   node detect.cjs model.onnx labels.txt photo.ppm
//
// PPM because Node decodes no photos by itself: `magick photo.jpg photo.ppm`. In a browser take the pixels of a canvas.

const fs = require("node:fs");

function runtime() {
  const names = process.env.ONNXRUNTIME_NODE ? [process.env.ONNXRUNTIME_NODE] : ["onnxruntime-node", "onnxruntime-web"];
  for (const name of names) {
    try {
      return require(name);
    } catch (error) {
      if (error.code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  throw new Error("install onnxruntime-node or onnxruntime-web");
}

function readPpm(path) {
  const bytes = fs.readFileSync(path);
  const header = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(bytes.subarray(0, 64).toString("latin1"));
  if (!header) throw new Error(`${path}: not a binary PPM of 8 bits`);
  return { width: Number(header[1]), height: Number(header[2]), rgb: bytes.subarray(header[0].length) };
}

async function main([modelPath, labelsPath, photoPath]) {
  const ort = runtime();
  const labels = fs.readFileSync(labelsPath, "utf8").split("\n");
  const { width, height, rgb } = readPpm(photoPath);
  const planes = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) planes[c * width * height + i] = rgb[3 * i + c];
  }
  const session = await ort.InferenceSession.create(new Uint8Array(fs.readFileSync(modelPath)));
  const found = await session.run({ images: new ort.Tensor("uint8", planes, [1, 3, height, width]) });
  for (let i = 0; i < found.num_dets.data[0]; i++) {
    const box = Array.from(found.boxes.data.slice(4 * i, 4 * i + 4), (side) => Number(side.toFixed(3)));
    const score = Number(found.scores.data[i].toFixed(5));
    console.log(JSON.stringify({ box, score, class: labels[Number(found.labels.data[i])] }));
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`error: ${error.message}`);
  process.exit(1);
});
