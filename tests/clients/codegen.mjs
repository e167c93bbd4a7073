// graphql-codegen makes types of our schema and the documents in codegen/, and TypeScript holds a program to them.
// Needs no server.
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from '@graphql-codegen/cli';
import ts from 'typescript';

const SCALARS = {
  Cursor: 'string',
  DateTime: 'string',
  Duration: 'string',
  JSON: 'unknown',
  Markdown: 'string',
  URL: 'string',
};

/** The names of the operations' types, and what TypeScript says against them and the program that uses them. */
async function check(folder) {
  const generated = join(folder, 'generated.ts');
  const config = { scalars: SCALARS, strictScalars: true, enumsAsTypes: true };
  await generate(
    {
      schema: join(import.meta.dirname, '../../schema.graphql'),
      documents: join(import.meta.dirname, 'codegen/documents.graphql'),
      generates: { [generated]: { plugins: ['typescript', 'typescript-operations'], config } },
      silent: true,
    },
    true,
  );
  await cp(join(import.meta.dirname, 'codegen/usage.ts'), join(folder, 'usage.ts'));
  const options = {
    noEmit: true,
    strict: true,
    types: [],
    module: ts.ModuleKind.ES2022,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  };
  const program = ts.createProgram([generated, join(folder, 'usage.ts')], options);
  const complaints = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => ({
    line: file && file.getLineAndCharacterOfPosition(start).line + 1,
    why: ts.flattenDiagnosticMessageText(messageText, ' '),
  }));
  const exported = /^export type (\w+(?:Query|Mutation|Subscription|Fragment)) =/gm;
  const types = [...ts.sys.readFile(generated).matchAll(exported)].map(([, name]) => name);
  return { types, complaints };
}

const folder = await mkdtemp(join(tmpdir(), 'allclear-codegen-'));
const result = await check(folder).finally(() => rm(folder, { recursive: true }));
console.log(JSON.stringify(result));
