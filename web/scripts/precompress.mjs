// Writes a .br and a .gz beside every compressible file of dist/, so that the
// server sends bytes from memory instead of compressing per request, and puts
// back dist/.keep, which lets `go build` embed the folder before any web build.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const root = new URL("../dist", import.meta.url).pathname;
const compressible = /\.(js|css|html|svg|json|txt|map)$/;
let raw = 0;
let packed = 0;

for (const name of readdirSync(root, { recursive: true })) {
  const path = join(root, name);
  if (!statSync(path).isFile() || !compressible.test(path)) continue;
  const body = readFileSync(path);
  const br = brotliCompressSync(body, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: body.length },
  });
  const gz = gzipSync(body, { level: 9 });
  if (br.length < body.length) writeFileSync(path + ".br", br);
  if (gz.length < body.length) writeFileSync(path + ".gz", gz);
  raw += body.length;
  packed += br.length;
}
writeFileSync(join(root, ".keep"), "");
console.log(`precompressed ${(raw / 1024).toFixed(0)} KiB to ${(packed / 1024).toFixed(0)} KiB (brotli)`);
