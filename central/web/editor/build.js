// Bundles the editor into one file of ../assets/vendor, with the licences of what is inside.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const SOURCES = ["build.js", "completion.js", "editor.js", "package-lock.json", "package.json"];
const TARGET = "../assets/vendor/yaml-editor";

// The tests compare this with the sources, so that a stale bundle is noticed.
const digest = createHash("sha256");
for (const name of SOURCES) digest.update(readFileSync(name));

const { metafile } = await build({
  entryPoints: ["editor.js"],
  outfile: `${TARGET}.js`,
  banner: { js: `/* <yaml-editor>, made of central/web/editor ${digest.digest("hex")}; licences in yaml-editor.LICENSES.txt */` },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});

const packages = new Set(
  Object.keys(metafile.inputs).flatMap((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []),
);
const texts = [...packages].sort().map((name) => {
  const folder = `node_modules/${name}`;
  const { version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  return `${name} ${version} (${license})\n\n${readFileSync(`${folder}/${file}`, "utf8").trim()}\n`;
});
writeFileSync(`${TARGET}.LICENSES.txt`, texts.join(`\n${"-".repeat(80)}\n\n`));
