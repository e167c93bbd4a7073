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

const folder = await mkdtemp(join(tmpdir(), 'allclear-codegen-'));
const here = import.meta.dirname;
const generated = join(folder, 'generated.ts');
await generate(
  {
    schema: join(here, '../../schema.graphql'),
    documents: join(here, 'codegen/documents.graphql'),
    generates: { [generated]: { plugins: ['typescript', 'typescript-operations'] } },
    config: { scalars: SCALARS, strictScalars: true, enumsAsTypes: true },
    silent: true,
  },
  true,
);
await cp(join(here, 'codegen/usage.ts'), join(folder, 'usage.ts'));
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
const types = [...ts.sys.readFile(generated).matchAll(/^export type (\w+(?:Query|Mutation|Subscription|Fragment)) =/gm)];
await rm(folder, { recursive: true });
console.log(JSON.stringify({ types: types.map(([, name]) => name), complaints }));
